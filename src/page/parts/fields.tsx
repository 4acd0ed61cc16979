/** Form fields: each with its label, a hint, and what is wrong with it, bound together for those who do not see them. */
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { useFrameWords } from '../words.ts'

interface FieldProps {
  readonly label: string
  readonly hint?: ComponentChildren
  /** What is wrong with what stands there. */
  readonly wrong?: string | null | undefined
  readonly optional?: boolean
  readonly disabled?: boolean
}

interface TextFieldProps extends FieldProps {
  readonly value: string
  readonly kind?: 'text' | 'password' | 'number' | 'search' | 'date' | 'datetime-local' | 'email'
  readonly placeholder?: string
  readonly lines?: number
  /** For what is read by machines: one width for all letters, no corrections. */
  readonly code?: boolean
  readonly narrow?: boolean
  readonly autocomplete?: string
  readonly min?: number
  readonly max?: number
  onInput(value: string): void
}

export function TextField(props: TextFieldProps) {
  const { value, kind = 'text', lines, code = false, onInput } = props
  return (
    <Field {...props}>
      {(bound) => {
        // One object for both elements; which attribute may stand with which type, the declaration of fields says.
        const shared: Record<string, unknown> = {
          ...bound,
          value,
          class: code ? 'code' : undefined,
          placeholder: props.placeholder,
          disabled: props.disabled,
          spellcheck: code || kind !== 'text' ? false : undefined,
          autocomplete: props.autocomplete ?? 'off',
        }
        const ofInput: Record<string, unknown> = { type: kind, min: props.min, max: props.max }
        if (lines !== undefined)
          return <textarea {...shared} rows={lines} onInput={(event) => onInput(event.currentTarget.value)} />
        return <input {...shared} {...ofInput} onInput={(event) => onInput(event.currentTarget.value)} />
      }}
    </Field>
  )
}

interface SelectFieldProps<Value extends string> extends FieldProps {
  readonly value: Value
  readonly options: readonly (readonly [value: Value, label: string])[]
  readonly narrow?: boolean
  onChange(value: Value): void
}

export function SelectField<Value extends string>(props: SelectFieldProps<Value>) {
  const { value, options, onChange } = props
  return (
    <Field {...props}>
      {(bound) => (
        <select
          {...bound}
          value={value}
          disabled={props.disabled}
          onChange={(event) => onChange(event.currentTarget.value as Value)}
        >
          {options.map(([option, label]) => (
            <option key={option} value={option} selected={option === value}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

interface ChoiceFieldProps<Value extends string> extends FieldProps {
  readonly value: Value
  readonly options: readonly {
    readonly value: Value
    readonly label: string
    readonly hint?: ComponentChildren
    readonly disabled?: boolean
  }[]
  onChange(value: Value): void
}

/** One of a few, all of them seen. */
export function ChoiceField<Value extends string>(props: ChoiceFieldProps<Value>) {
  const { label, value, options, hint, wrong, onChange } = props
  const id = useId()
  return (
    <fieldset class="field choice" aria-describedby={wrong ? `${id}-wrong` : undefined}>
      <legend>{label}</legend>
      {hint && <p class="hint">{hint}</p>}
      {options.map((option) => (
        <div key={option.value} class="option">
          <input
            type="radio"
            id={`${id}-${option.value}`}
            name={id}
            value={option.value}
            checked={option.value === value}
            disabled={props.disabled || option.disabled}
            aria-describedby={option.hint ? `${id}-${option.value}-hint` : undefined}
            onChange={() => onChange(option.value)}
          />
          <div>
            <label for={`${id}-${option.value}`}>{option.label}</label>
            {option.hint && (
              <p class="hint" id={`${id}-${option.value}-hint`}>
                {option.hint}
              </p>
            )}
          </div>
        </div>
      ))}
      <Wrong id={`${id}-wrong`} text={wrong} />
    </fieldset>
  )
}

interface CheckFieldProps extends FieldProps {
  readonly checked: boolean
  onChange(checked: boolean): void
}

export function CheckField({ label, hint, wrong, checked, disabled, onChange }: CheckFieldProps) {
  const id = useId()
  return (
    <div class="field check">
      <div class="option">
        <input
          type="checkbox"
          id={id}
          checked={checked}
          disabled={disabled}
          aria-invalid={wrong ? true : undefined}
          aria-describedby={describedBy(id, hint, wrong)}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        <div>
          <label for={id}>{label}</label>
          {hint && (
            <p class="hint" id={`${id}-hint`}>
              {hint}
            </p>
          )}
        </div>
      </div>
      <Wrong id={`${id}-wrong`} text={wrong} />
    </div>
  )
}

interface Bound {
  readonly id: string
  readonly 'aria-invalid': true | undefined
  readonly 'aria-describedby': string | undefined
}

function Field(props: FieldProps & { narrow?: boolean; children(bound: Bound): ComponentChildren }) {
  const { label, hint, wrong, optional = false, narrow = false, children } = props
  const words = useFrameWords()
  const id = useId()
  return (
    <div class={narrow ? 'field narrow' : 'field'}>
      <label for={id}>
        {label}
        {optional && <span class="optional"> ({words.optional})</span>}
      </label>
      {children({
        id,
        'aria-invalid': wrong ? true : undefined,
        'aria-describedby': describedBy(id, hint, wrong),
      })}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      <Wrong id={`${id}-wrong`} text={wrong} />
    </div>
  )
}

function Wrong({ id, text }: { id: string; text: string | null | undefined }) {
  return text ? (
    <p class="wrong" id={id} role="alert">
      {text}
    </p>
  ) : null
}

function describedBy(
  id: string,
  hint: ComponentChildren,
  wrong: string | null | undefined,
): string | undefined {
  const ids = [hint ? `${id}-hint` : '', wrong ? `${id}-wrong` : ''].filter((one) => one !== '')
  return ids.length === 0 ? undefined : ids.join(' ')
}
