import { describe, expect, it } from 'vitest'
import { HtmlReader } from '../../../src/message/edit/html-places.ts'

/** `^` marks where the start and `$` where the end is expected; they are no part of the document. */
function check(marked: string, sizes: readonly number[] = [1, 2, 3, 7, 1000]): void {
  const html = marked.replace(/[\^$]/g, '')
  const start = marked.replace('$', '').indexOf('^')
  const end = marked.replace('^', '').indexOf('$')
  for (const size of sizes) {
    const reader = new HtmlReader()
    for (let at = 0; at < html.length; at += size) reader.write(Buffer.from(html.slice(at, at + size)))
    expect({ size, ...reader.end() }).toEqual({ size, start, end: end === -1 ? null : end })
  }
}

describe('the places in an HTML document', () => {
  it.each<[string, string]>([
    ['a document', '<!DOCTYPE html><html><head></head><body>^a$</body></html>'],
    ['tags with attributes and blanks', '<html lang="de">\n<BODY class=x\n>^a$</BODY\n></html>'],
    ['no body', '<html><head></head>^a$</html>'],
    ['no head', '<html>^a$</html>'],
    ['a doctype alone', '<!doctype html>^a$'],
    ['a fragment', '^<p>a</p>$'],
    ['nothing', '^$'],
    ['text behind the end', '<body>^a$</body></html>\r\nb'],
    ['two documents', '<body>^a</body><body>b$</body>'],
    ['an end before the beginning', '</body><body>^a$'],
    ['a comment with tags', '<body>^a$</body><!-- </body> --></html>'],
    ['a comment of Outlook', '<!--[if mso]><body><![endif]--><body>^a$</body>'],
    ['comments that end early', '<!--><!---><body>^a$</body>'],
    ['a comment that ends with a bang', '<!-- --!><body>^a$</body>'],
    ['a comment with dashes', '<!-- a -- > - -> ---><body>^a$</body>'],
    ['a declaration', '<![if !mso]><body>^a$</body><![endif]>'],
    ['an instruction', '<?xml version="1.0"?><body>^a$</body>'],
    ['an attribute with tags', '<body title="</body>" data-x=\'<body>\'>^a$</body>'],
    ['an attribute without quotes', "<body title=it's>^a$</body>"],
    ['an equals sign and a quote in a value', '<body title=a="b>^a$</body>'],
    ['a quote without an attribute', '<body ">^a$</body>'],
    ['an equals sign without an attribute', '<body ="a>^b$</body>'],
    ['a value that is empty', '<body title=>^a$</body>'],
    ['a script', '<body>^<script>if (a </body && "</body>") b</script>$</body>'],
    ['a style, and its end in capitals', '<style>a{}</STYLE ><body>^a$</body>'],
    ['ends of other elements in a script', '<body>^<script></scripts></scrip></body></script>$</body>'],
    ['signs that are no tags', '<body>^a < b <3 </> <> 1<$</body>'],
    ['an end tag that is a comment', '^</ <body>a$</body>'],
    ['a longer name', '<bodyguard><body>^a</bodyguard>$</body>'],
    ['a slash in a tag', '<body/>^a$</body/>'],
    ['a comment that does not end', '^a<!-- b'],
    ['a tag that does not end', '^a<b title="'],
    ['a script that does not end', '^a<script>b</scr'],
    ['a comment that does not end behind the body', '<body>^a$</body><!--'],
  ])('are found in %s', (_name, marked) => {
    check(marked)
  })

  it('are found in a megabyte of attributes and comments without keeping them', () => {
    const junk = 'x'.repeat(1 << 20)
    check(`<body data-x="${junk}">^<!--${junk}--><b ${junk}>$</body>`, [60_000])
  })
})
