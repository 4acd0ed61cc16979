import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const sheet = readFileSync(new URL('../../src/page/style/base.css', import.meta.url), 'utf8')

/** `--text: light-dark(#242424, #f0f0f0)` */
const colours = new Map(
  [...sheet.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(
    ([, name, light, dark]) => [name!, { light: light!, dark: dark! }],
  ),
)

/** WCAG 2.2, relative luminance. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}

function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return (light! + 0.05) / (dark! + 0.05)
}

const grounds = ['ground', 'surface', 'raised', 'sunken', 'hover']

describe.each(['light', 'dark'] as const)('in %s', (theme) => {
  it.each([
    ...['text', 'soft', 'accent', 'bad'].flatMap((name) => grounds.map((ground) => [name, ground])),
    ...['good', 'bad', 'warning', 'waiting', 'off'].map((name) => [name, `${name}-tint`]),
    ['text', 'accent-tint'],
    ['good', 'surface'],
    ['on-accent', 'accent'],
    ['on-accent', 'accent-hover'],
  ])('%s can be read on %s', (name, ground) => {
    expect(contrast(colours.get(name!)![theme], colours.get(ground!)![theme])).toBeGreaterThanOrEqual(4.5)
  })

  it.each(['surface', 'ground', 'raised'])('the edge of a field is seen on %s', (ground) => {
    expect(contrast(colours.get('edge')![theme], colours.get(ground)![theme])).toBeGreaterThanOrEqual(3)
  })
})
