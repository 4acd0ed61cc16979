import { describe, expect, it } from 'vitest'
import { cmsType, type FileFormat, fileFormat, isScriptName } from '../../../src/message/content/file-type.ts'
import { exe, writeCompoundFile, writeTar } from '../../support/file-samples.ts'
import { writeZip } from '../../support/zip-writer.ts'

const hex = (text: string) => Buffer.from(text, 'hex')
const latin1 = (text: string) => Buffer.from(text, 'latin1')
const image = (mark: string) => Buffer.concat([Buffer.alloc(0x8001), latin1(mark)])

describe('fileFormat', () => {
  it.each<[string, Buffer, FileFormat]>([
    ['a Windows program', exe, 'executable'],
    ['a program for Linux', latin1('\x7fELF\x02\x01'), 'executable'],
    ['a program for macOS', hex('cffaedfe07000001'), 'executable'],
    ['a Java class', hex('cafebabe00000034'), 'executable'],
    ['a Windows shortcut', hex('4c0000000114020000000000c000000000000046'), 'executable'],
    ['compiled help', latin1('ITSF\x03'), 'executable'],
    ['a script', latin1('#!/bin/sh\nrm'), 'executable'],
    ['a script with a blank', latin1('#! /usr/bin/env python'), 'executable'],
    ['a script with a byte order mark', latin1('\xef\xbb\xbf#!/bin/sh'), 'executable'],
    ['a ZIP file', writeZip([{ name: 'a' }]), 'zip'],
    ['an empty ZIP file', writeZip([]), 'zip'],
    ['gzip', hex('1f8b0800'), 'gzip'],
    ['tar', writeTar([{ name: 'a', bytes: 'b' }]), 'tar'],
    ['RAR', latin1('Rar!\x1a\x07\x00'), 'rar'],
    ['7z', hex('377abcaf271c'), '7z'],
    ['bzip2', latin1('BZh91AY&SY'), 'archive'],
    ['xz', hex('fd377a585a00'), 'archive'],
    ['a cabinet', latin1('MSCF\0\0'), 'archive'],
    ['a CD image', image('CD001'), 'archive'],
    ['a DVD image', image('BEA01'), 'archive'],
    ['a virtual disk', latin1('vhdxfile'), 'archive'],
    ['lha', latin1('..-lh5-'), 'archive'],
    ['OLE2', writeCompoundFile([]), 'compound'],
    ['TNEF', hex('789f3e22'), 'tnef'],
    ['S/MIME', hex('308006092a864886f70d010703a080'), 'cms'],
    [
      'a text that begins with MZ',
      latin1(`MZ is how a program begins, and this is a text.${' '.repeat(50)}`),
      'unknown',
    ],
    ['a text about scripts', latin1('#!'), 'unknown'],
    ['a PDF', latin1('%PDF-1.7'), 'unknown'],
    ['nothing', Buffer.alloc(0), 'unknown'],
    ['zeros', Buffer.alloc(600), 'unknown'],
  ])('knows %s', (_name, head, format) => {
    expect(fileFormat(head)).toBe(format)
  })
})

describe('isScriptName', () => {
  it.each([
    ['js', true],
    ['vbs', true],
    ['ps1', true],
    ['bat', true],
    ['lnk', true],
    ['exe', false],
    ['txt', false],
    [null, false],
  ])('of %s is %s', (extension, expected) => {
    expect(isScriptName(extension)).toBe(expected)
  })
})

describe('cmsType', () => {
  it.each([
    ['06092a864886f70d010702', 'signed'],
    ['06092a864886f70d010703', 'encrypted'],
    ['060b2a864886f70d0109100117', 'encrypted'],
    ['060b2a864886f70d0109100109', 'other'],
    ['06092a864886f70d010701', 'other'],
    ['0609', null],
  ])('of %s is %s', (octets, type) => {
    expect(cmsType(hex(`3080${octets}`))).toBe(type)
  })
})
