/** What the sandbox took, the newest first; new mail appears by itself. */

import { useState } from 'preact/hooks'
import type { InboxMessage, InboxPage } from '../../admin/sandbox/inbox-view.ts'
import { pathOf, read, write } from '../client.ts'
import { type Formats, useFormats } from '../language.ts'
import { Address } from '../parts/address.tsx'
import { Button } from '../parts/button.tsx'
import { FormDialog, useAct } from '../parts/dialog.tsx'
import { ProblemNotice } from '../parts/notice.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { tell } from '../parts/told.tsx'
import { usePolled } from '../polling.ts'
import { hrefTo } from '../router.ts'
import { useFrameWords } from '../words.ts'
import { useSandboxWords } from './words.ts'
import type { Words } from './words-en.ts'

export const inboxPath = (...parts: readonly string[]): string => pathOf(['sandbox', 'messages', ...parts])

export function Inbox() {
  const frame = useFrameWords()
  const words = useSandboxWords()
  const [clearing, setClearing] = useState(false)
  const inbox = usePolled<InboxPage>(inboxPath(), { everyMs: 2000 })
  const isEmpty = inbox.answer === null || inbox.answer.messages.length === 0
  return (
    <div class="sandbox">
      <Page
        title={frame.views.sandbox}
        lead={words.lead}
        toolbar={
          !isEmpty && (
            <Button icon="remove" needs="operate" onClick={() => setClearing(true)}>
              {words.clear}
            </Button>
          )
        }
      >
        {inbox.problem?.status === 404 ? (
          <Empty title={words.none}>
            <p>{words.noneHint}</p>
          </Empty>
        ) : (
          <Shown of={inbox}>{(page) => <MessageList first={page} />}</Shown>
        )}
        {clearing && <ClearDialog onClose={() => setClearing(false)} onCleared={inbox.again} />}
      </Page>
    </div>
  )
}

/** The first page is always new; older messages stay as they are, so they are asked for once. */
function MessageList({ first }: { first: InboxPage }) {
  const frame = useFrameWords()
  const words = useSandboxWords()
  const formats = useFormats()
  const act = useAct()
  const [older, setOlder] = useState<readonly InboxPage[]>([])
  const messages = unique([first, ...older].flatMap((page) => page.messages))
  const next = (older.at(-1) ?? first).next
  if (first.messages.length === 0)
    return (
      <Empty title={words.empty}>
        <p>{words.emptyHint}</p>
      </Empty>
    )
  const load = (after: string) =>
    void act.run(async () => {
      const page = await read<InboxPage>(pathOf(['sandbox', 'messages'], { after }))
      setOlder((before) => [...before, page])
    })
  return (
    <>
      <p class="hint">{words.kept(formats.number(first.kept), first.kept === 1)}</p>
      <Table
        label={frame.views.sandbox}
        rows={messages}
        keyOf={({ id }) => id}
        columns={columns({ words, formats })}
      />
      <ProblemNotice problem={act.problem} />
      {next !== null && (
        <div class="list-foot">
          <Button busy={act.busy} onClick={() => load(next)}>
            {frame.more}
          </Button>
        </div>
      )}
    </>
  )
}

function columns({ words, formats }: { words: Words; formats: Formats }): Column<InboxMessage>[] {
  const { columns: titles } = words
  return [
    {
      title: titles.subject,
      cell: ({ id, subject }) => (
        <a href={hrefTo('sandbox', id)}>{subject === '' ? words.noSubject : subject}</a>
      ),
    },
    { title: titles.from, cell: ({ from }) => (from === '' ? words.nullPath : <Address of={from} />) },
    {
      title: titles.to,
      cell: ({ to: [first, ...more] }) => (
        <>
          <Address of={first ?? ''} />{' '}
          {more.length > 0 && <span class="hint">{words.andMore(formats.number(more.length))}</span>}
        </>
      ),
    },
    { title: titles.received, cell: ({ receivedAt }) => formats.instant(receivedAt) },
    { title: titles.size, kind: 'number', cell: ({ sizeBytes }) => formats.bytes(sizeBytes) },
  ]
}

function ClearDialog({ onClose, onCleared }: { onClose: () => void; onCleared: () => Promise<void> }) {
  const words = useSandboxWords()
  return (
    <FormDialog
      title={words.clearTitle}
      submit={words.clear}
      danger
      onSubmit={async () => {
        await write('DELETE', inboxPath())
        tell(words.cleared)
        await onCleared()
        onClose()
      }}
      onClose={onClose}
    >
      {() => <p>{words.clearText}</p>}
    </FormDialog>
  )
}

/** What moved from one page to the next meanwhile is shown once. */
function unique(messages: readonly InboxMessage[]): InboxMessage[] {
  return [...new Map(messages.map((message) => [message.id, message])).values()]
}
