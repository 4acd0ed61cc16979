/** The state of a connector's queue as a badge. */
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'
import { Badge, type Tone } from '../parts/badge.tsx'
import { type QueueState, queueStateOf } from './queue-state.ts'
import { useQueueWords } from './words.ts'

const tones: Readonly<Record<QueueState, Tone>> = {
  active: 'good',
  ready: 'good',
  waiting: 'waiting',
  retry: 'warning',
  suspended: 'bad',
  disabled: 'off',
  unusable: 'bad',
  'not-configured': 'off',
}

export function ConnectorState({
  of,
}: {
  of: Pick<ConnectorView, 'state' | 'attemptsInFlight' | 'waitingUntil'>
}) {
  const words = useQueueWords()
  const state = queueStateOf(of)
  return <Badge tone={tones[state]}>{words.queueStates[state]}</Badge>
}
