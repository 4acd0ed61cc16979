/** The Queue Viewer: the queues, their messages, and one message. */
import type { ViewProps } from '../view.ts'
import { MessageDetails } from './message-details.tsx'
import { Messages } from './messages.tsx'
import { readFilter, readOrder } from './queue-filter.ts'
import { QueueList } from './queue-list.tsx'
import './queues.css'

export function QueuesView({ route: { parts, query } }: ViewProps) {
  const [part, id] = parts
  if (part === undefined) return <QueueList />
  if (id === undefined) return <Messages filter={readFilter(query)} order={readOrder(query)} />
  return <MessageDetails key={id} id={id} />
}
