/** The two lists of the Queue Viewer. */
import { messagesHref, queuesHref } from './places.ts'
import { useQueueWords } from './words.ts'

/** As in Exchange's: queues here, messages of all of them there. */
export function Tabs({ current }: { current: 'queues' | 'messages' }) {
  const words = useQueueWords()
  const places = { queues: queuesHref(), messages: messagesHref() }
  return (
    <nav class="tabs" aria-label={words.tabsLabel}>
      {(['queues', 'messages'] as const).map((tab) => (
        <a key={tab} href={places[tab]} aria-current={tab === current ? 'page' : undefined}>
          {words.tabs[tab]}
        </a>
      ))}
    </nav>
  )
}
