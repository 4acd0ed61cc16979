/** The tokens of the API: who has one, what it may, when it was used. */
import { useState } from 'preact/hooks'
import type { TokenView } from '../../admin/access/token-view.ts'
import { pathOf, write } from '../client.ts'
import { useFormats } from '../language.ts'
import { Badge } from '../parts/badge.tsx'
import { Button } from '../parts/button.tsx'
import { FormDialog } from '../parts/dialog.tsx'
import { Notice } from '../parts/notice.tsx'
import { Section } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { tell } from '../parts/told.tsx'
import { usePolled } from '../polling.ts'
import { useFrameWords } from '../words.ts'
import { NewTokenDialog } from './new-token-dialog.tsx'
import { useSettingsWords } from './words.ts'

export function Tokens() {
  const words = useSettingsWords()
  const list = usePolled<{ tokens: readonly TokenView[] }>(pathOf(['tokens']), { everyMs: 30_000 })
  const [open, setOpen] = useState<'new' | TokenView | null>(null)
  const columns = useColumns(setOpen)
  return (
    <Section title={words.tokens}>
      <p class="hint">{words.tokensHint}</p>
      <div class="toolbar">
        <Button kind="primary" icon="add" needs="admin" onClick={() => setOpen('new')}>
          {words.newToken}
        </Button>
      </div>
      <Shown of={list}>
        {({ tokens }) =>
          tokens.length === 0 ? (
            <Empty title={words.noTokens}>
              <p>{words.noTokensHint}</p>
            </Empty>
          ) : (
            <Table label={words.tokens} columns={columns} rows={tokens} keyOf={({ id }) => id} />
          )
        }
      </Shown>
      {open === 'new' && <NewTokenDialog again={list.again} onClose={() => setOpen(null)} />}
      {open !== null && open !== 'new' && (
        <RemoveTokenDialog of={open} again={list.again} onClose={() => setOpen(null)} />
      )}
    </Section>
  )
}

export function TokensUnseen() {
  const words = useSettingsWords()
  return (
    <Section title={words.tokens}>
      <Notice tone="info">{words.tokensNeed}</Notice>
    </Section>
  )
}

function useColumns(remove: (token: TokenView) => void): readonly Column<TokenView>[] {
  const words = useSettingsWords()
  const frame = useFrameWords()
  const formats = useFormats()
  return [
    { title: words.name, cell: ({ name }) => <strong>{name}</strong> },
    { title: words.scope, cell: ({ scopes }) => words.scopes[widest(scopes)][0] },
    { title: words.created, cell: ({ createdAt }) => formats.instant(createdAt) },
    {
      title: words.lastUsed,
      cell: ({ lastUsedAt }) => (
        <span title={words.lastUsedHint}>
          {lastUsedAt === null ? words.never : formats.instant(lastUsedAt)}
        </span>
      ),
    },
    {
      title: words.expires,
      cell: ({ expiresAt }) => {
        if (expiresAt === null) return words.never
        if (expiresAt <= Date.now()) return <Badge tone="bad">{words.expired}</Badge>
        return formats.day(expiresAt)
      },
    },
    {
      title: words.acts,
      kind: 'acts',
      cell: (token) => (
        <Button kind="quiet" icon="remove" iconOnly needs="admin" onClick={() => remove(token)}>
          {`${frame.remove}: ${token.name}`}
        </Button>
      ),
    },
  ]
}

function widest(scopes: TokenView['scopes']): TokenView['scopes'][number] {
  return (['admin', 'operate'] as const).find((scope) => scopes.includes(scope)) ?? 'read'
}

interface RemoveTokenDialogProps {
  readonly of: TokenView
  again(): Promise<void>
  onClose(): void
}

function RemoveTokenDialog({ of: { id, name }, again, onClose }: RemoveTokenDialogProps) {
  const words = useSettingsWords()
  const frame = useFrameWords()
  const remove = async () => {
    await write('DELETE', pathOf(['tokens', id]))
    tell(words.removed(name))
    await again()
    onClose()
  }
  return (
    <FormDialog
      title={words.removeTitle(name)}
      submit={frame.remove}
      danger
      onSubmit={remove}
      onClose={onClose}
    >
      {() => <p>{words.removeHint}</p>}
    </FormDialog>
  )
}
