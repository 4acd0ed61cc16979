/** What is asked of `POST /explain`: as the form's fields hold it, and as it is sent. Pure. */

export interface QuestionFields {
  readonly from: string
  /** Several separated by blanks, commas, semicolons or line ends. */
  readonly to: string
  readonly size: string
  /** A field a line, `Name: value`. */
  readonly headers: string
  readonly ip: string
  /** A whole message, which has its own header. */
  readonly message: string
}

export const emptyQuestion: QuestionFields = { from: '', to: '', size: '', headers: '', ip: '', message: '' }

export interface Question {
  readonly from: string
  readonly to: readonly string[]
  readonly size?: string
  readonly header?: readonly string[]
  readonly ip?: string
  readonly message?: string
}

/** Null while there is nobody to ask about. */
export function questionOf(fields: QuestionFields): Question | null {
  const to = fields.to.split(/[\s,;]+/).filter((address) => address !== '')
  if (to.length === 0) return null
  const [from, size, ip] = [fields.from.trim(), fields.size.trim(), fields.ip.trim()]
  const header = headerFields(fields.headers)
  const message = fields.message.trim() === '' ? null : fields.message
  return {
    from,
    to,
    ...(size !== '' && { size }),
    ...(message === null && header.length > 0 && { header }),
    ...(ip !== '' && { ip }),
    ...(message !== null && { message }),
  }
}

/** A line that begins with a blank continues the one before, as in a message. */
function headerFields(text: string): string[] {
  return text
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}
