/**
 * Octets as text, in the character set that somebody declared. Names and tables are those of the WHATWG, which
 * browsers and web mail use; a set they do not know, or none, is UTF-8 where the octets are that, else Windows-1252.
 */

export function decodeText(bytes: Buffer, charset: string | null): string {
  const label = charset === null || charset === 'us-ascii' ? 'utf-8' : charset
  const decoder = decoders.get(label) ?? newDecoder(label)
  // Node reads Windows-1252 as ISO 8859-1 (some versions of 20 to 24 do), so its table is here.
  if (decoder.encoding === 'windows-1252') return westEuropean(bytes)
  try {
    return decoder.decode(bytes)
  } catch {
    return westEuropean(bytes)
  }
}

/** Windows-1252, which is what those mean who declare ISO 8859-1. */
export function westEuropean(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('latin1')
    .replace(/[\u0080-\u009f]/g, (character) => windows1252[character.charCodeAt(0) - 0x80]!)
}

/** 0x80 to 0x9F; five of them are not used. */
const windows1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'

const utf8 = new TextDecoder('utf-8', { fatal: true })
const decoders = new Map([['utf-8', utf8]])
/** The label comes from the message, so what is kept of them is bounded. */
const mostDecoders = 64

function newDecoder(label: string): typeof utf8 {
  try {
    const decoder = new TextDecoder(label)
    const known = decoder.encoding === 'utf-8' ? utf8 : decoder
    if (decoders.size < mostDecoders) decoders.set(label, known)
    return known
  } catch {
    return utf8
  }
}
