/** A view's frame: its one heading, what can be done, and the content. The heading has the focus after a change of view. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { useFrameWords } from '../words.ts'
import { Icon } from './icon.tsx'

interface PageProps {
  readonly title: string
  /** The list that it belongs to. */
  readonly back?: { readonly href: string; readonly label: string }
  /** Beside the title: a state. */
  readonly beside?: ComponentChildren
  /** One or two sentences below the title. */
  readonly lead?: ComponentChildren
  readonly toolbar?: ComponentChildren
  readonly children: ComponentChildren
}

/** Set by the first change of place; until then the browser's own focus is left alone. */
const moved = { once: false }
addEventListener('hashchange', () => {
  moved.once = true
})

export function Page({ title, back, beside, lead, toolbar, children }: PageProps) {
  const words = useFrameWords()
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} – ${words.product}`
  }, [title, words])
  useEffect(() => {
    if (moved.once) heading.current?.focus()
  }, [])
  return (
    <div class="page">
      {back && (
        <a class="back" href={back.href}>
          <Icon name="back" />
          {back.label}
        </a>
      )}
      <div class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {beside}
      </div>
      {lead && <p class="lead">{lead}</p>}
      {toolbar && <div class="toolbar">{toolbar}</div>}
      {children}
    </div>
  )
}

/** A part of a page, with a heading of its own. */
export function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="section">
      <h2>{title}</h2>
      {children}
    </section>
  )
}

/** Names and values, one below the other. */
export function Facts({ of }: { of: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
