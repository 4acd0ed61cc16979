/**
 * What the header of a message or of a MIME part says about its content, and where programs may read it in
 * different ways: then a rule must not rely on our reading. Where a field stands twice the first one counts, except
 * that a multipart wins: so what it may hold is seen.
 */

import { revealWords } from '../encoded-words.ts'
import { fieldsNamed, fieldValue, type Header, type HeaderField, parseHeader } from '../header.ts'
import { extensionOf, seenName } from './attachment-name.ts'
import { type MimeValue, parseMimeValue } from './mime-value.ts'

export type TransferEncoding = 'identity' | 'base64' | 'quoted-printable' | 'uuencode'

export interface PartHeader {
  readonly header: Header
  /** In lower case, without parameters. */
  readonly contentType: string
  /** Of the Content-Type field, by their names in lower case: `smime-type`, `report-type`. */
  parameter(name: string): string | null
  /** Without blanks at its end; null where there is none, or none that can be used. */
  readonly boundary: string | null
  readonly charset: string | null
  readonly encoding: TransferEncoding
  readonly disposition: string | null
  readonly name: string | null
  readonly ambiguities: readonly string[]
}

interface Place {
  /** The message's own header, or the one of a message attached. */
  readonly root: boolean
  /** The type of a part without Content-Type: in a digest another one (RFC 2046 §5.1.5). */
  readonly defaultType: string
}

/** RFC 2046 §5.1.1 allows 70 characters, and some programs keep no more. */
const longestBoundary = 70
const mostFields = 1000

export function readPartHeader(bytes: Buffer, place: Place): PartHeader {
  const header = parseHeader(bytes)
  const found = new Set<string>()
  inspectLines(bytes, found)
  inspectFields(header, place, found)
  const type = readContentType(header, { defaultType: place.defaultType, found })
  const disposition = readDisposition(header, found)
  const encoding = readEncoding(header, type.value, found)
  const name = readName(disposition, type, found)
  return {
    header,
    contentType: type.value,
    parameter: (parameter) => readable(type, parameter),
    boundary: type.value.startsWith('multipart/') ? readBoundary(type, found) : null,
    charset:
      readable(type, 'charset')
        ?.replace(/[\s(].*/s, '')
        .toLowerCase() || null,
    encoding,
    disposition: disposition?.value || null,
    name,
    ambiguities: [...found],
  }
}

/** Bare CR and LF, lines of blanks and lines that are no fields: for some programs the header ends there. */
function inspectLines(bytes: Buffer, found: Set<string>): void {
  const text = bytes.toString('latin1')
  if (/\r(?!\n)/.test(text)) found.add('a bare CR in a header')
  if (text.includes('\r\n') && /(?:^|[^\r])\n/.test(text)) found.add('a bare LF in a header')
  if (/^[ \t]+\r?$/m.test(text)) found.add('a line of blanks in a header')
  if (text.includes('\0')) found.add('a NUL in a header')
}

const mimeFields = ['content-type', 'content-disposition', 'content-transfer-encoding'] as const

function inspectFields(header: Header, place: Place, found: Set<string>): void {
  const { fields } = header
  if (fields.length > mostFields) found.add('more header fields than can be read')
  if (fields.some((field) => field.name === null)) found.add('a line in a header that is no field')
  const single = place.root ? [...mimeFields, 'mime-version', 'from'] : mimeFields
  for (const name of single) {
    const same = fieldsNamed(header, name)
    if (same.length > 1) found.add(`${fieldLabels[name]!} twice`)
    for (const field of same)
      if (/^[^:]*[ \t]:/.test(latin1(field))) found.add(`a blank before the colon of ${fieldLabels[name]!}`)
  }
}

const fieldLabels: Record<string, string> = {
  'content-type': 'Content-Type',
  'content-disposition': 'Content-Disposition',
  'content-transfer-encoding': 'Content-Transfer-Encoding',
  'mime-version': 'MIME-Version',
  from: 'From',
}

const typeForm = /^[a-z0-9!#$%&'*+.^_`{|}~-]+\/[a-z0-9!#$%&'*+.^_`{|}~-]+$/

function readContentType(
  header: Header,
  { defaultType, found }: { defaultType: string; found: Set<string> },
): MimeValue {
  const values = fieldsNamed(header, 'content-type').map((field) => parseMimeValue(fieldValue(field)))
  const value = values.find((each) => each.value.startsWith('multipart/')) ?? values[0]
  if (value === undefined) return { value: defaultType, parameters: new Map(), defect: null }
  if (value.defect !== null) found.add(`Content-Type: ${value.defect}`)
  if (value.value === 'message/partial') found.add('a fragment of a message')
  if (typeForm.test(value.value)) return value
  found.add('a Content-Type that cannot be read')
  return { ...value, value: defaultType }
}

function readDisposition(header: Header, found: Set<string>): MimeValue | null {
  const field = fieldsNamed(header, 'content-disposition')[0]
  if (field === undefined) return null
  const value = parseMimeValue(fieldValue(field))
  if (value.defect !== null) found.add(`Content-Disposition: ${value.defect}`)
  return value
}

const encodings: Record<string, TransferEncoding> = {
  '7bit': 'identity',
  '8bit': 'identity',
  binary: 'identity',
  base64: 'base64',
  'quoted-printable': 'quoted-printable',
  'x-uuencode': 'uuencode',
  'x-uue': 'uuencode',
  uuencode: 'uuencode',
}

function readEncoding(header: Header, contentType: string, found: Set<string>): TransferEncoding {
  const field = fieldsNamed(header, 'content-transfer-encoding')[0]
  if (field === undefined) return 'identity'
  const { value, defect, parameters } = parseMimeValue(fieldValue(field))
  const encoding = encodings[value]
  if (encoding === undefined || defect !== null || parameters.size > 0)
    found.add('a Content-Transfer-Encoding that is unknown')
  if (!contentType.startsWith('multipart/')) return encoding ?? 'identity'
  // RFC 2045 §6.4 forbids it; programs that decode it all the same see other parts.
  if (encoding !== 'identity') found.add('a multipart with a Content-Transfer-Encoding')
  return 'identity'
}

/** bcharsnospace of RFC 2046 §5.1.1, and what programs write beside them. */
const boundaryForm = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

function readBoundary(type: MimeValue, found: Set<string>): string | null {
  const parameter = type.parameters.get('boundary')
  const written = parameter?.plain ?? parameter?.extended ?? ''
  if (written === '') {
    found.add('a multipart without a boundary')
    return null
  }
  const extended = (parameter?.extended ?? null) !== null
  if (extended || written.length > longestBoundary || !boundaryForm.test(written))
    found.add('a boundary that programs read in different ways')
  const boundary = written.trimEnd()
  return boundary === '' || boundary.length > 4 * longestBoundary ? null : boundary
}

/** Content-Disposition before Content-Type, the extended form before the plain one. */
function readName(disposition: MimeValue | null, type: MimeValue, found: Set<string>): string | null {
  const names: string[] = []
  for (const parameter of [disposition?.parameters.get('filename'), type.parameters.get('name')]) {
    if (parameter?.extended) names.push(parameter.extended)
    if (parameter?.plain) names.push(revealWords(parameter.plain))
  }
  if (names.some((name) => /[\u0000-\u0008\u000a-\u001f\u007f]/.test(name)))
    found.add('a control character in the name of an attachment')
  const seen = names.map(seenName).filter((name) => name !== null)
  if (new Set(seen.map(extensionOf)).size > 1) found.add('an attachment with two names')
  return seen[0] ?? null
}

function readable(value: MimeValue, name: string): string | null {
  const parameter = value.parameters.get(name)
  return parameter?.extended ?? parameter?.plain ?? null
}

const latin1 = (field: HeaderField): string => field.raw.toString('latin1')
