/** libmime comes without types: this is what is used of it. */
declare module 'libmime' {
  const libmime: {
    /** Never throws; text in character sets that it does not know reads as UTF-8. */
    decodeWords(text: string): string
  }
  export default libmime
}
