/** The sandbox's inbox: the newest messages, and one of them. */
import type { ViewProps } from '../view.ts'
import { Inbox } from './inbox.tsx'
import { InboxMessageDetails } from './inbox-message.tsx'
import './sandbox.css'

export function SandboxView({ route: { parts } }: ViewProps) {
  const [id] = parts
  return id === undefined ? <Inbox /> : <InboxMessageDetails key={id} id={id} />
}
