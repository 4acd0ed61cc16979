/** Tries the smart hosts of a connector and shows what they said. */
import { useEffect, useState } from 'preact/hooks'
import type { ConnectorTest } from '../../admin/connectors/connector-test-view.ts'
import { Button } from '../parts/button.tsx'
import { Dialog, useAct } from '../parts/dialog.tsx'
import { ProblemNotice } from '../parts/notice.tsx'
import { useFrameWords } from '../words.ts'
import { TestResult } from './test-result.tsx'
import { useConnectorWords } from './words.ts'

interface TestDialogProps {
  readonly title: string
  run(): Promise<ConnectorTest>
  onClose(): void
}

export function TestDialog({ title, run, onClose }: TestDialogProps) {
  const words = useConnectorWords()
  const frame = useFrameWords()
  const act = useAct()
  const [tested, setTested] = useState<ConnectorTest | null>(null)
  const test = () => void act.run(async () => setTested(await run()))
  useEffect(test, [])
  return (
    <Dialog title={title} wide onClose={onClose}>
      <p class="hint">{words.testHint}</p>
      <ProblemNotice problem={act.problem} />
      {act.busy && (
        <p class="working" role="status">
          <span class="spinner" /> {words.testing}
        </p>
      )}
      {tested && !act.busy && <TestResult of={tested} />}
      <div class="dialog-foot">
        <Button icon="test" busy={act.busy} onClick={test}>
          {words.testAgain}
        </Button>
        <Button first onClick={onClose}>
          {frame.close}
        </Button>
      </div>
    </Dialog>
  )
}
