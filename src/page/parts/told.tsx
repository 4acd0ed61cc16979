/** What was done, told once at the edge of the page and to those who do not see it: `tell('Saved')`. */
import { Store, useStore } from '../store.ts'
import { useFrameWords } from '../words.ts'
import { Button } from './button.tsx'
import { Icon } from './icon.tsx'

interface Told {
  readonly id: number
  readonly tone: 'good' | 'bad' | 'warning'
  readonly text: string
}

const told = new Store<readonly Told[]>([])
const shownMs = 8000
let last = 0

/** What went wrong stays until it is dismissed. */
export function tell(text: string, tone: Told['tone'] = 'good'): void {
  const id = ++last
  // Said twice, it would be read twice.
  const others = told.value.filter((one) => one.text !== text)
  told.set([...others.slice(-2), { id, tone, text }])
  if (tone === 'good') window.setTimeout(() => dismiss(id), shownMs)
}

export function ToldList() {
  const words = useFrameWords()
  return (
    <div class="told" role="status" aria-live="polite">
      {useStore(told).map(({ id, tone, text }) => (
        <div key={id} class={`notice ${tone}`}>
          <Icon name={tone} />
          <div class="notice-text">{text}</div>
          <Button kind="quiet" icon="close" iconOnly onClick={() => dismiss(id)}>
            {words.dismiss}
          </Button>
        </div>
      ))}
    </div>
  )
}

function dismiss(id: number): void {
  told.set(told.value.filter((one) => one.id !== id))
}
