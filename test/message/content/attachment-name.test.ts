import { describe, expect, it } from 'vitest'
import { extensionOf, seenName } from '../../../src/message/content/attachment-name.ts'

describe('seenName', () => {
  it.each<[string, string | null]>([
    ['invoice.pdf', 'invoice.pdf'],
    ['invoice.exe. ', 'invoice.exe'],
    ['invoice.exe . . .', 'invoice.exe'],
    [' invoice.exe', 'invoice.exe'],
    ['C:\\temp\\invoice.exe', 'invoice.exe'],
    ['../../etc/passwd', 'passwd'],
    ['in\r\nvoice\0.exe', 'invoice.exe'],
    ['invoice.exe\0', 'invoice.exe'],
    ['Résumé.pdf', 'Résumé.pdf'],
    ['', null],
    ['. .', null],
    ['dir/', null],
  ])('of %j is %j', (name, seen) => {
    expect(seenName(name)).toBe(seen)
  })

  it('keeps the end of a long name, which says what opens it', () => {
    expect(seenName(`${'a'.repeat(1000)}.exe`)).toBe(`${'a'.repeat(251)}.exe`)
  })

  it('takes no longer for a name made of dots', () => {
    const startedAt = performance.now()
    expect(seenName(`${'. '.repeat(500_000)}a`)).toHaveLength(255)
    expect(performance.now() - startedAt).toBeLessThan(500)
  })
})

describe('extensionOf', () => {
  it.each<[string, string | null]>([
    ['invoice.PDF', 'pdf'],
    ['invoice.pdf.exe', 'exe'],
    ['.bashrc', 'bashrc'],
    ['invoice', null],
    ['invoice.', null],
  ])('of %s is %s', (name, extension) => {
    expect(extensionOf(name)).toBe(extension)
  })
})
