/**
 * Where something can be put into an HTML document so that it is seen: behind `<body …>`, before `</body>`. Reads
 * octets of any character set in which octets below 64 are ASCII, chunk by chunk, and takes tags for what they are
 * to a browser: not in comments, attributes, styles and scripts. It keeps a tag's name, and nothing else.
 */

export interface HtmlPlaces {
  /** Octets before the place. */
  readonly start: number
  /** Null where the document ends within a comment, a tag or a script: what is put there is not seen. */
  readonly end: number | null
}

type State =
  | 'text'
  | 'tagOpen' // behind `<`
  | 'name'
  | 'attribute'
  | 'equals' // behind the `=` of an attribute
  | 'unquoted'
  | 'singleQuoted'
  | 'doubleQuoted'
  | 'markup' // behind `<!`
  | 'declaration' // to the next `>`: a doctype, or what browsers take for a comment
  | 'comment'
  | 'rawText' // of an element that holds no tags but its own end
  | 'rawEnd' // behind `<` in it

/** Elements that hold text without tags (HTML, 13.2.5.1). Nothing ends a plaintext element. */
const rawElements = new Set([
  ...['script', 'style', 'title', 'textarea', 'xmp', 'iframe', 'noembed', 'noframes', 'plaintext'],
])
const longestName = 16

export class HtmlReader {
  #state: State = 'text'
  /** Octets before the chunk. */
  #position = 0
  /** Where the tag's `<` stands. */
  #tagAt = 0
  /** Of the tag, in lower case, `/` before that of an end tag; of the declaration. */
  #name = ''
  /** An attribute has a name, so that `=` gives it a value. */
  #named = false
  /** The last characters of a comment. */
  #tail = ''
  #rawElement = ''
  #behind: { body?: number; head?: number; html?: number; doctype?: number } = {}
  #before: { body?: number; html?: number } = {}

  write(bytes: Buffer): void {
    const text = bytes.toString('latin1')
    for (let at = 0; at < text.length; ) at = this.#step(text, at)
    this.#position += text.length
  }

  end(): HtmlPlaces {
    const { body, head, html, doctype } = this.#behind
    const start = body ?? head ?? html ?? doctype ?? 0
    const closing = this.#before.body ?? this.#before.html
    if (closing !== undefined && closing >= start) return { start, end: closing }
    return { start, end: this.#state === 'text' ? this.#position : null }
  }

  /** Reads one character, or many of a kind; returns where to go on. */
  #step(text: string, at: number): number {
    switch (this.#state) {
      case 'text':
      case 'rawText':
        return this.#findTag(text, at)
      case 'doubleQuoted':
        return this.#find('"', text, at)
      case 'singleQuoted':
        return this.#find("'", text, at)
      case 'tagOpen':
        return this.#openTag(text[at]!) ? at + 1 : at
      case 'rawEnd':
        return this.#openRawEnd(text[at]!) ? at + 1 : at
      case 'markup':
      case 'declaration':
      case 'comment':
        this.#readMarkup(text[at]!, this.#position + at + 1)
        return at + 1
      default:
        this.#readTag(text[at]!, this.#position + at + 1)
        return at + 1
    }
  }

  #findTag(text: string, at: number): number {
    const open = text.indexOf('<', at)
    if (open === -1) return text.length
    this.#state = this.#state === 'text' ? 'tagOpen' : 'rawEnd'
    this.#tagAt = this.#position + open
    this.#name = ''
    return open + 1
  }

  #find(quote: string, text: string, at: number): number {
    const end = text.indexOf(quote, at)
    if (end === -1) return text.length
    this.#state = 'attribute'
    this.#named = false
    return end + 1
  }

  /** False where the character is to be read again, as text. */
  #openTag(character: string): boolean {
    if (/[a-z]/i.test(character)) {
      this.#name += character.toLowerCase()
      this.#state = 'name'
    } else if (character === '/' && this.#name === '') this.#name = '/'
    else if (character === '!' && this.#name === '') this.#state = 'markup'
    else if (character === '?' || (this.#name === '/' && character !== '>')) {
      this.#name = '?'
      this.#state = 'declaration'
    } else {
      this.#state = 'text'
      return this.#name === '/'
    }
    return true
  }

  #openRawEnd(character: string): boolean {
    const wanted = `/${this.#rawElement}`
    if (this.#name === wanted && /[\s/>]/.test(character)) {
      this.#state = 'name'
      return false
    }
    this.#name += character.toLowerCase()
    if (wanted.startsWith(this.#name)) return true
    this.#state = 'rawText'
    return false
  }

  #readTag(character: string, end: number): void {
    if (character === '>') this.#endTag(end)
    else if (this.#state === 'name' && !/[\s/]/.test(character)) {
      if (this.#name.length < longestName) this.#name += character.toLowerCase()
    } else if (this.#state === 'equals' && !/\s/.test(character)) {
      const quoted = character === '"' ? 'doubleQuoted' : character === "'" ? 'singleQuoted' : 'unquoted'
      this.#state = quoted
    } else if (this.#state === 'name' || (this.#state === 'unquoted' && /\s/.test(character))) {
      this.#state = 'attribute'
      this.#named = false
    } else if (this.#state === 'attribute') this.#readAttribute(character)
  }

  #readAttribute(character: string): void {
    if (character === '=' && this.#named) this.#state = 'equals'
    else if (character === '/') this.#named = false
    else if (!/\s/.test(character)) this.#named = true
  }

  #endTag(end: number): void {
    const name = this.#name
    this.#state = 'text'
    if (name === 'body') this.#behind.body ??= end
    else if (name === '/head') this.#behind.head ??= end
    else if (name === 'html') this.#behind.html ??= end
    else if (name === '/body') this.#before.body = this.#tagAt
    else if (name === '/html') this.#before.html = this.#tagAt
    else if (rawElements.has(name)) {
      this.#state = 'rawText'
      this.#rawElement = name
    }
  }

  #readMarkup(character: string, end: number): void {
    if (this.#state === 'comment') {
      // `<!-->` and `<!--->` are whole comments, and `--!>` ends one too (HTML, 13.2.5.43 and on).
      if (character === '>' && /--!?$/.test(this.#tail)) this.#state = 'text'
      this.#tail = (this.#tail + character).slice(-3)
      return
    }
    if (character === '>') {
      if (this.#name.startsWith('doctype')) this.#behind.doctype ??= end
      this.#state = 'text'
      return
    }
    if (this.#name.length < longestName) this.#name += character.toLowerCase()
    if (this.#name === '--' && this.#state === 'markup') {
      this.#state = 'comment'
      this.#tail = '--'
    } else if (this.#name !== '-') this.#state = 'declaration'
  }
}
