/**
 * What can be done with the chosen messages: at once where it can be undone and they are few; asked first where it
 * cannot, or where it concerns all that match.
 */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import type { ItemView } from '../../admin/queue/item-view.ts'
import { useFormats } from '../language.ts'
import { Button } from '../parts/button.tsx'
import { useAct } from '../parts/dialog.tsx'
import type { IconName } from '../parts/icon.tsx'
import { ProblemNotice } from '../parts/notice.tsx'
import { ActDialog } from './act-dialog.tsx'
import { type Chosen, useActOn } from './act-on.ts'
import type { ActKind } from './queue-act.ts'
import { useQueueWords } from './words.ts'

interface ActBarProps {
  readonly chosen: Chosen
  readonly connectors: readonly ConnectorView[]
  /** Whether more match than are ticked. */
  readonly moreThanShown: boolean
  readonly onChooseAll: () => void
  readonly onChooseNone: () => void
  readonly onDone: () => Promise<void>
}

export function ActBar(props: ActBarProps) {
  const { chosen, moreThanShown, onChooseAll, onChooseNone } = props
  const words = useQueueWords()
  const formats = useFormats()
  const none = chosen.kind === 'items' && chosen.items.length === 0
  const isFiltered = chosen.kind === 'matching' && Object.keys(chosen.filter).length > 0
  return (
    <div class="act-bar">
      <ActButtons {...props} />
      <p class="chosen" role="status">
        {chosen.kind === 'items'
          ? words.selected(formats.number(chosen.items.length))
          : isFiltered
            ? words.allMatching
            : words.all}
      </p>
      {chosen.kind === 'items' && moreThanShown && (
        <Button kind="quiet" onClick={onChooseAll}>
          {words.selectMatching}
        </Button>
      )}
      {!none && (
        <Button kind="quiet" onClick={onChooseNone}>
          {words.selectNone}
        </Button>
      )}
    </div>
  )
}

const icons: Readonly<Record<ActKind, IconName>> = {
  suspend: 'pause',
  resume: 'play',
  retry: 'refresh',
  redirect: 'chevron',
  remove: 'remove',
}
const kinds = ['suspend', 'resume', 'retry', 'redirect', 'remove'] as const

interface ActButtonsProps extends Pick<ActBarProps, 'chosen' | 'connectors' | 'onDone'> {
  /** Further buttons beside them. */
  readonly children?: ComponentChildren
}

/** Also for a single message. */
export function ActButtons({ chosen, connectors, onDone, children }: ActButtonsProps) {
  const words = useQueueWords()
  const act = useAct()
  const actOn = useActOn(onDone)
  const [asking, setAsking] = useState<ActKind | null>(null)
  const [under, setUnder] = useState<ActKind | null>(null)
  const start = (kind: ActKind) => {
    if (kind === 'remove' || kind === 'redirect' || chosen.kind === 'matching') return setAsking(kind)
    setUnder(kind)
    void act.run(() => actOn(chosen, { action: kind }))
  }
  return (
    <>
      <div class="toolbar">
        {kinds.map((kind) => (
          <Button
            key={kind}
            icon={icons[kind]}
            kind={kind === 'remove' ? 'danger' : 'plain'}
            needs="operate"
            unable={unableTo(kind, chosen) ? words.unable[kind] : null}
            busy={act.busy && under === kind}
            onClick={() => start(kind)}
          >
            {words.acts[kind]}
          </Button>
        ))}
        {children}
      </div>
      <ProblemNotice problem={act.problem} />
      {asking !== null && (
        <ActDialog
          kind={asking}
          chosen={chosen}
          connectors={connectors}
          actOn={actOn}
          onClose={() => setAsking(null)}
        />
      )}
    </>
  )
}

/** Where it is known that it would change nothing. */
function unableTo(kind: ActKind, chosen: Chosen): boolean {
  if (chosen.kind === 'matching') return false
  const { items } = chosen
  const some = (fits: (item: ItemView) => boolean) => items.some(fits)
  if (kind === 'resume') return !some(({ state }) => state === 'suspended')
  if (kind === 'suspend' || kind === 'retry') return !some(({ state }) => state !== 'suspended')
  return items.length === 0
}
