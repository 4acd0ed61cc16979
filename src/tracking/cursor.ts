/**
 * Where a search of the tracking history goes on, as the text that the page before gave. It holds all that the search
 * knew, so that nothing is kept between pages: `MSGTRK2026010508-1.LOG:4711` goes on with what stands before
 * that byte, then with older files; the ids behind it are the messages that are meant. With `~` before it these are
 * still looked for.
 */
import { isMessageId } from '../message-id.ts'
import { parseFileName, type TrackingFile } from './files.ts'

export interface Place {
  readonly file: TrackingFile
  readonly offset: number
}

export interface Cursor {
  /** `naming`: which messages bear the names that are asked for; then their events. */
  readonly step: 'naming' | 'events'
  /** Null: the end of the history. */
  readonly place: Place | null
  /** The ids found; null where that is not how the search goes. */
  readonly named: readonly string[] | null
}

/** A cursor is a part of a URL. */
export const mostNamed = 100

const cursor = /^(~?)(MSGTRK\d{10}-\d{1,9}\.LOG):(\d{1,12})((?:[:.][0-9A-Z]{20})*)$/

export function isCursor(text: string): boolean {
  return parseCursor(text) !== null
}

export function readCursor(text: string): Cursor {
  const read = parseCursor(text)
  if (read === null) throw new TypeError(`Not a cursor of the tracking history: ${JSON.stringify(text)}`)
  return read
}

export function cursorText({ step, place, named }: Cursor & { readonly place: Place }): string {
  const ids = named === null || named.length === 0 ? '' : `:${named.join('.')}`
  return `${step === 'naming' ? '~' : ''}${place.file.name}:${place.offset}${ids}`
}

function parseCursor(text: string): Cursor | null {
  const match = cursor.exec(text)
  const file = match && parseFileName(match[2]!)
  if (!file) return null
  const named = match[4] === '' ? null : match[4]!.slice(1).split('.')
  if (named !== null && (named.length > mostNamed || !named.every(isMessageId))) return null
  return { step: match[1] === '~' ? 'naming' : 'events', place: { file, offset: Number(match[3]) }, named }
}
