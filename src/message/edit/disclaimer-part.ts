/**
 * One text part that is to take a disclaimer. While the part is read, this sees whether it can take it, and where;
 * afterwards it says what its header becomes and rewrites its content.
 */
import { isAscii } from 'node:buffer'
import { parseMimeValue } from '../content/mime-value.ts'
import { fieldsNamed, fieldValue } from '../header.ts'
import type { Rewriter } from './body-change.ts'
import type { TextPart, TextReader } from './body-text.ts'
import { htmlText, plainInsertion, plainText } from './disclaimer-text.ts'
import type { Disclaimer } from './edit.ts'
import { formatField, longestLine, removeFields, setField } from './header-edit.ts'
import { HtmlReader } from './html-places.ts'
import { type Insertion, partRewriter } from './part-rewriter.ts'
import { type Carriage, carriageOf, convertToUtf8 } from './text-carriage.ts'
import type { WrittenEncoding } from './transfer-encoder.ts'

export class DisclaimerPart implements TextReader {
  readonly #text: TextPart
  readonly #disclaimer: Disclaimer
  /** As the part is to hold it. */
  readonly #written: string
  readonly #carriage: Carriage | null
  readonly #converter: Rewriter | null
  readonly #utf8Check: Rewriter | null
  readonly #html: HtmlReader | null
  #isReadable: boolean
  #beginning = ''
  #length = 0
  #endsLine = false
  #endsAt = 0
  #insertion: Insertion | null = null

  constructor(text: TextPart, disclaimer: Disclaimer) {
    const { header } = text.part
    const isHtml = text.kind === 'html'
    const flowed = header.parameter('format')?.toLowerCase() === 'flowed'
    this.#text = text
    this.#disclaimer = disclaimer
    this.#written = isHtml ? htmlText(disclaimer) : plainText(disclaimer.text, { flowed })
    this.#carriage = carriageOf(header.charset, this.#written, { octets: isHtml })
    this.#isReadable = this.#carriage !== null && hasClearHeader(text)
    this.#html = isHtml ? new HtmlReader() : null
    const from = this.#carriage?.convertFrom ?? null
    this.#converter = from === null ? null : convertToUtf8(from)
    this.#utf8Check = this.#carriage?.mustBeUtf8 ? convertToUtf8('utf-8') : null
  }

  write(bytes: Buffer): void {
    if (this.#beginning.length < longestArmorLine) this.#begin(bytes)
    this.#read(() => {
      this.#utf8Check?.write(bytes)
      this.#look(this.#converter?.write(bytes) ?? bytes)
    })
  }

  end(): void {
    this.#read(() => {
      this.#utf8Check?.end()
      if (this.#converter !== null) this.#look(this.#converter.end())
    })
    this.#insertion = this.#isReadable ? this.#place() : null
  }

  endsAt(at: number): void {
    this.#endsAt = at
  }

  ambiguous(): void {
    this.#isReadable = false
  }

  /** OpenPGP without MIME (RFC 9580 §6.2): all of the text is one message, encrypted or signed. */
  get isArmored(): boolean {
    return /^-----BEGIN PGP (?:SIGNED )?MESSAGE-----/.test(this.#beginning)
  }

  get canTakeIt(): boolean {
    return this.#insertion !== null
  }

  get isRoot(): boolean {
    return this.#text.part.root
  }

  /** All its fields, and how many octets of the message stand before them. */
  get header(): { readonly at: number; readonly bytes: Buffer } {
    const { header, at } = this.#text.part
    return { at: at.header, bytes: Buffer.concat(header.header.fields.map((field) => field.raw)) }
  }

  get content(): { readonly from: number; readonly to: number } {
    return { from: this.#text.part.at.content, to: this.#endsAt }
  }

  /** The same header where nothing in it has to change. */
  changeHeader(header: Buffer): Buffer {
    let changed = header
    if (this.#carriage?.becomesUtf8)
      changed = setField(changed, formatField('Content-Type', this.#typeInUtf8()))
    if (this.#encoding === 'quoted-printable' && this.#text.part.header.encoding === 'identity')
      changed = setField(changed, formatField('Content-Transfer-Encoding', 'quoted-printable'))
    // A checksum of the old content (RFC 1864).
    return removeFields(changed, 'Content-MD5')
  }

  rewriter(): Rewriter {
    return partRewriter({
      decode: this.#text.part.header.encoding,
      convertFrom: this.#carriage!.convertFrom,
      insertion: this.#insertion!,
      encode: this.#encoding,
      isRoot: this.isRoot,
    })
  }

  /** Keeps the first line of text, whatever character set it is in. */
  #begin(bytes: Buffer): void {
    const text = this.#beginning + bytes.toString('latin1')
    this.#beginning = text.trimStart().slice(0, longestArmorLine)
  }

  #read(read: () => void): void {
    if (!this.#isReadable) return
    try {
      read()
    } catch (error) {
      // The octets are not of the character set that the part declares.
      if (!(error instanceof TypeError)) throw error
      this.#isReadable = false
    }
  }

  #look(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#html?.write(bytes)
    this.#length += bytes.length
    this.#endsLine = bytes.at(-1) === 0x0a
  }

  #place(): Insertion | null {
    const { position } = this.#disclaimer
    const encode = this.#carriage!.encode
    if (this.#html !== null) {
      const places = this.#html.end()
      const at = position === 'prepend' ? places.start : places.end
      return at === null ? null : { at, bytes: encode(this.#written) }
    }
    const isEmpty = this.#length === 0
    const text = plainInsertion(this.#written, { position, isEmpty, endsLine: this.#endsLine })
    return { at: position === 'prepend' ? 0 : this.#length, bytes: encode(text) }
  }

  /** As it is, where that can hold the disclaimer: else quoted-printable, which all can. */
  get #encoding(): WrittenEncoding {
    const { header } = this.#text.part
    if (header.encoding === 'base64' || header.encoding === 'quoted-printable') return header.encoding
    if (this.#carriage!.convertFrom !== null) return 'quoted-printable'
    const { bytes } = this.#insertion!
    const fits = bytes
      .toString('latin1')
      .split('\r\n')
      .every((line) => line.length <= longestLine)
    return fits && (isAscii(bytes) || /^(?:8bit|binary)$/.test(declaredEncoding(this.#text)))
      ? 'identity'
      : 'quoted-printable'
  }

  #typeInUtf8(): string {
    const { header } = this.#text.part
    const [field] = fieldsNamed(header.header, 'content-type')
    const old = field === undefined ? header.contentType : fieldValue(field)
    const named = /;[ \t]*charset[ \t]*=[ \t]*(?:"[^"\\]*"|[^";\s]*)/i
    const changed = named.test(old)
      ? old.replace(named, '; charset=utf-8')
      : `${old.replace(/[; \t]+$/, '')}; charset=utf-8`
    const read = parseMimeValue(changed)
    const isRight = read.defect === null && read.value === header.contentType
    if (isRight && read.parameters.get('charset')?.plain === 'utf-8') return changed
    return `${header.contentType}; charset=utf-8`
  }
}

const longestArmorLine = 40
const knownEncodings = /^(?:7bit|8bit|binary|base64|quoted-printable|)$/

function declaredEncoding({ part }: TextPart): string {
  const [field] = fieldsNamed(part.header.header, 'content-transfer-encoding')
  return field === undefined ? '' : fieldValue(field).toLowerCase()
}

/** Whether all programs find the same content in the part: only then is it known what is put where. */
function hasClearHeader(text: TextPart): boolean {
  const { header, at, root } = text.part
  const single = ['content-type', 'content-transfer-encoding'].every(
    (name) => fieldsNamed(header.header, name).length <= 1,
  )
  // All of it was read, and an empty line ends it, which only a message without a body may lack.
  const emptyLine = at.content - at.header - header.header.sizeBytes
  const isWhole = emptyLine === 1 || emptyLine === 2 || (root && emptyLine === 0)
  return single && isWhole && knownEncodings.test(declaredEncoding(text))
}
