/**
 * A button, and a link that looks like one. What the token does not allow stays where it is and can be reached, so that
 * its reason can be read: it is `aria-disabled`, not `disabled`. The reason describes the button and is no part of its
 * name.
 */
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import type { Scope } from '../../setup/token.ts'
import { useMay } from '../session.ts'
import { useFrameWords } from '../words.ts'
import { Icon, type IconName } from './icon.tsx'

export interface ButtonProps {
  readonly children: ComponentChildren
  readonly icon?: IconName
  readonly kind?: 'primary' | 'plain' | 'quiet' | 'danger'
  readonly type?: 'button' | 'submit'
  /** The scope that the act needs. */
  readonly needs?: Scope
  /** Why it cannot be done now, for people; null where it can. */
  readonly unable?: string | null
  /** Under way: shown, and not to be begun again. */
  readonly busy?: boolean
  /** The icon alone is seen; the words are its name. */
  readonly iconOnly?: boolean
  readonly pressed?: boolean
  readonly expanded?: boolean
  readonly controls?: string
  /** The first to have the focus in a dialog. */
  readonly first?: boolean
  onClick?(): void
}

export function Button(props: ButtonProps) {
  const { children, icon, kind = 'plain', type = 'button', busy = false, iconOnly = false, onClick } = props
  const reason = useReason(props)
  const reasonId = useId()
  const off = reason !== null || busy
  return (
    <button
      type={type}
      class={`button ${kind} ${iconOnly ? 'icon-only' : ''}`}
      aria-disabled={off || undefined}
      aria-busy={busy || undefined}
      aria-describedby={reason === null ? undefined : reasonId}
      aria-pressed={props.pressed}
      aria-expanded={props.expanded}
      aria-controls={props.controls}
      data-first={props.first || undefined}
      title={reason ?? (iconOnly && typeof children === 'string' ? children : undefined)}
      onClick={(event) => {
        if (off) event.preventDefault()
        else onClick?.()
      }}
    >
      {busy ? <span class="spinner" /> : icon && <Icon name={icon} />}
      <span class={iconOnly ? 'unseen' : 'label'}>{children}</span>
      {reason !== null && (
        <span id={reasonId} hidden>
          {reason}
        </span>
      )}
    </button>
  )
}

/** Where it leads to what is not allowed, it is a button that does nothing and says why. */
export function ButtonLink({
  href,
  ...props
}: Pick<ButtonProps, 'children' | 'icon' | 'kind' | 'needs' | 'unable'> & { readonly href: string }) {
  const reason = useReason(props)
  const { children, icon, kind = 'plain' } = props
  if (reason !== null) return <Button {...props} unable={reason} />
  return (
    <a class={`button ${kind}`} href={href}>
      {icon && <Icon name={icon} />}
      <span class="label">{children}</span>
    </a>
  )
}

function useReason({ needs, unable }: Pick<ButtonProps, 'needs' | 'unable'>): string | null {
  const words = useFrameWords()
  const may = useMay(needs ?? 'read')
  if (needs !== undefined && !may) return words.needs[needs]
  return unable ?? null
}
