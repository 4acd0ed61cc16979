/**
 * A header as a filter sees it, and what the filter makes of it. Fields are shown as libmilter has them: one by one,
 * folds as LF, without the final line break. A line that is no field ends the header for the filter, as it does for
 * Postfix and Sendmail: it and all that follows are body then, so that nothing passes unseen. Bytes of fields
 * that the filter leaves alone, and of what it was not shown as a field, stay as they came.
 */

import {
  addField,
  changeField,
  fieldAsGiven,
  insertField,
  type NewField,
  removeField,
} from '../../message/edit/header-edit.ts'
import { type HeaderField, parseHeader } from '../../message/header.ts'
import { type Change, MilterError } from './milter-protocol.ts'

export interface ShownField {
  readonly name: string
  readonly value: Buffer
}

type IndexedChange = Extract<Change, { index: number }>
export type HeaderChange = Extract<Change, { name: string }>

export class MilterHeader {
  readonly shown: readonly ShownField[]
  readonly #leadingSpace: boolean
  #fields: Buffer
  /** The empty line, and before it what is no field. */
  readonly #rest: Buffer
  /**
   * How many fields stand before our own trace field. It is written later, above all that was there; a filter does not
   * see it but counts it where it inserts: 0 is before it, 1 behind it.
   */
  #beforeTrace = 0

  /** `leadingSpace` as negotiated: whether the space after the colon belongs to the value. */
  constructor(header: Buffer, { leadingSpace }: { leadingSpace: boolean }) {
    const fields = fieldsBeforeBody(header)
    this.#leadingSpace = leadingSpace
    this.shown = fields.filter(({ name }) => name !== null).map(({ raw }) => showField(raw, leadingSpace))
    const sizeBytes = fields.reduce((size, { raw }) => size + raw.length, 0)
    this.#fields = header.subarray(0, sizeBytes)
    this.#rest = header.subarray(sizeBytes)
  }

  /** Of the header's bytes those that the filter is shown before the body. */
  get shownAsBody(): Buffer {
    return isEmptyLine(this.#rest) ? nothing : this.#rest
  }

  apply(change: HeaderChange): void {
    if (change.kind === 'addHeader') this.#fields = addField(this.#fields, this.#field(change))
    else if (change.kind === 'changeHeader') this.#fields = this.#changed(change)
    else this.#fields = insertField(this.#fields, this.#field(change), this.#placeOf(change.index))
  }

  /** Behind it comes the body as the filter was shown it, or what the filter put in its place. */
  bytes({ bodyReplaced }: { bodyReplaced: boolean }): Buffer {
    if (!bodyReplaced || isEmptyLine(this.#rest)) return Buffer.concat([this.#fields, this.#rest])
    const isEnded = this.#fields.length === 0 || this.#fields.at(-1) === 0x0a
    return Buffer.concat([this.#fields, ...(isEnded ? [] : [lineBreak]), lineBreak])
  }

  #placeOf(index: number): number {
    if (index > this.#beforeTrace) return index - 1
    this.#beforeTrace++
    return index
  }

  /** The nth of its name; 0 is taken for 1, as Sendmail does. One that is not there is added. */
  #changed(change: IndexedChange): Buffer {
    const nth = Math.max(change.index, 1)
    if (change.value.length === 0) return removeField(this.#fields, change.name, nth)
    return changeField(this.#fields, this.#field(change), nth)
  }

  #field({ name, value }: { name: string; value: Buffer }): NewField {
    const text = value.toString('latin1')
    if (/[\0\r\n]/.test(text.replace(/\r?\n(?=[ \t])/g, '')))
      throw new MilterError(
        `asked for a header field with a line break or NUL in it: ${JSON.stringify(name)}`,
      )
    try {
      const spaced = this.#leadingSpace || value.length === 0 ? value : Buffer.concat([space, value])
      return fieldAsGiven(name, spaced)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new MilterError(`asked for an impossible header field: ${error.message}`)
    }
  }
}

const nothing = Buffer.alloc(0)
const space = Buffer.from(' ')
const lineBreak = Buffer.from('\r\n')

const isEmptyLine = (bytes: Buffer): boolean => /^\r?\n$/.test(bytes.toString('latin1', 0, 3))

/** An mbox line that somebody left above the header is no field, but nobody takes it for the header's end. */
function fieldsBeforeBody(header: Buffer): readonly HeaderField[] {
  const { fields } = parseHeader(header)
  const isMbox = /^>?From /.test(fields[0]?.raw.toString('latin1', 0, 6) ?? '')
  const oddAt = fields.findIndex(({ name }, index) => name === null && !(isMbox && index === 0))
  return oddAt === -1 ? fields : fields.slice(0, oddAt)
}

/** A NUL would end the string for the filter and hide what follows from it. */
function showField(raw: Buffer, leadingSpace: boolean): ShownField {
  const text = raw.toString('latin1')
  const colon = text.indexOf(':')
  const value = text
    .slice(colon + 1)
    .replace(/\r?\n$/, '')
    .replaceAll('\r\n', '\n')
    .replaceAll('\0', ' ')
  return {
    name: text.slice(0, colon).trimEnd(),
    value: Buffer.from(leadingSpace || !value.startsWith(' ') ? value : value.slice(1), 'latin1'),
  }
}
