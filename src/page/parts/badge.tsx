/** A state: a word, a colour and a picture, so that no one of them has to be seen. */
import type { ComponentChildren } from 'preact'
import { Icon, type IconName } from './icon.tsx'

export type Tone = 'good' | 'bad' | 'warning' | 'waiting' | 'off' | 'info'

const icons: Readonly<Record<Tone, IconName>> = {
  good: 'good',
  bad: 'bad',
  warning: 'warning',
  waiting: 'waiting',
  off: 'off',
  info: 'info',
}

export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`badge ${tone}`}>
      <Icon name={icons[tone]} />
      <span>{children}</span>
    </span>
  )
}
