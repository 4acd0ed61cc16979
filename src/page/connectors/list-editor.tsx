/** A short list that is edited entry by entry, as the lists of the Exchange admin center are: add, edit, remove. */
import type { ComponentChildren } from 'preact'
import { useId, useRef } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { useFrameWords } from '../words.ts'

interface ListEditorProps {
  readonly label: string
  readonly hint: string
  readonly entries: readonly { readonly name: string; readonly shown: ComponentChildren }[]
  readonly none: string
  readonly wrong: string | null
  readonly readOnly: boolean
  readonly addLabel: string
  onAdd(): void
  onEdit(index: number): void
  onRemove(index: number): void
}

export function ListEditor(props: ListEditorProps) {
  const { label, hint, entries, none, wrong, readOnly, addLabel } = props
  const words = useFrameWords()
  const id = useId()
  const adding = useRef<HTMLDivElement>(null)
  return (
    <fieldset class="field list-editor" aria-describedby={wrong ? `${id}-wrong` : `${id}-hint`}>
      <legend>{label}</legend>
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
      {entries.length === 0 ? (
        <p class="list-none">{none}</p>
      ) : (
        <ol>
          {entries.map(({ name, shown }, index) => (
            <li key={name}>
              <span class="list-entry">{shown}</span>
              {!readOnly && (
                <>
                  <Button kind="quiet" icon="edit" iconOnly onClick={() => props.onEdit(index)}>
                    {`${words.edit}: ${name}`}
                  </Button>
                  <Button
                    kind="quiet"
                    icon="remove"
                    iconOnly
                    onClick={() => {
                      // The button goes with its entry; the focus must not go with it.
                      adding.current?.querySelector('button')?.focus()
                      props.onRemove(index)
                    }}
                  >
                    {`${words.remove}: ${name}`}
                  </Button>
                </>
              )}
            </li>
          ))}
        </ol>
      )}
      {wrong && (
        <p class="wrong" id={`${id}-wrong`} role="alert">
          {wrong}
        </p>
      )}
      {!readOnly && (
        <div ref={adding}>
          <Button icon="add" onClick={props.onAdd}>
            {addLabel}
          </Button>
        </div>
      )}
    </fieldset>
  )
}
