/** One message as the sandbox got it: its envelope, its header, its text. All of it is shown as text. */
import type { InboxMessageView } from '../../admin/sandbox/inbox-view.ts'
import { useFormats } from '../language.ts'
import { Badge } from '../parts/badge.tsx'
import { ButtonLink } from '../parts/button.tsx'
import { Facts, Page, Section } from '../parts/page.tsx'
import { Empty, Shown } from '../parts/shown.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../polling.ts'
import { hrefTo } from '../router.ts'
import { useFrameWords } from '../words.ts'
import { inboxPath } from './inbox.tsx'
import { useSandboxWords } from './words.ts'

export function InboxMessageDetails({ id }: { id: string }) {
  const frame = useFrameWords()
  const words = useSandboxWords()
  const message = usePolled<InboxMessageView>(inboxPath(id))
  const { answer } = message
  const title = answer === null ? frame.views.sandbox : answer.subject || words.noSubject
  return (
    <div class="sandbox">
      <Page
        title={title}
        back={{ href: hrefTo('sandbox'), label: words.back }}
        toolbar={
          answer && (
            <ButtonLink icon="import" href={`.${inboxPath(id, 'message')}`}>
              {words.download}
            </ButtonLink>
          )
        }
      >
        {message.problem?.status === 404 ? (
          <Empty title={words.gone}>
            <p>{words.goneHint}</p>
          </Empty>
        ) : (
          <Shown of={message}>{(shown) => <Message {...shown} />}</Shown>
        )}
      </Page>
    </div>
  )
}

function Message(message: InboxMessageView) {
  const words = useSandboxWords()
  const formats = useFormats()
  const { from, to, receivedAt, sizeBytes, tls, user, headers, text } = message
  const { facts } = words
  return (
    <>
      <Section title={words.envelope}>
        <Facts
          of={[
            [facts.from, from === '' ? words.nullPath : from],
            [facts.to, formats.list(to)],
            [facts.received, formats.instant(receivedAt)],
            [facts.size, formats.bytes(sizeBytes)],
            [facts.tls, tls ?? words.inClear],
            [facts.user, user],
          ]}
        />
      </Section>
      <Section title={words.headers}>
        <Headers of={headers} />
      </Section>
      <Section title={words.text}>
        <pre class="raw">{text}</pre>
        {sizeBytes > mostTextBytes && <p class="hint">{words.cut}</p>}
      </Section>
    </>
  )
}

/** The API gives no more of the text. */
const mostTextBytes = 64 * 1024

/** By which OVHcloud marks what a connector bound to the sender has processed. */
const mark = 'x-mclm-sbr-processed'

function Headers({ of: headers }: { of: InboxMessageView['headers'] }) {
  const words = useSandboxWords()
  const rows = headers.map((header, index) => ({ ...header, key: `${index} ${header.name}` }))
  return (
    <Table
      label={words.headers}
      rows={rows}
      keyOf={({ key }) => key}
      columns={[
        {
          title: words.headerColumns.name,
          cell: ({ name }) => <code>{isMark(name) ? <mark>{name}</mark> : name}</code>,
        },
        {
          title: words.headerColumns.value,
          cell: ({ name, value }) =>
            isMark(name) ? (
              <>
                <mark>{value}</mark> <Badge tone="good">{words.marked}</Badge>
              </>
            ) : (
              value
            ),
        },
      ]}
    />
  )
}

const isMark = (name: string): boolean => name.toLowerCase() === mark
