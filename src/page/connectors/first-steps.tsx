/** The wizard's first two steps, which ask what only the wizard asks. */
import { ChoiceField, TextField } from '../parts/fields.tsx'
import type { ConnectorType } from './connector-draft.ts'
import type { DraftFieldsProps } from './draft-fields.ts'
import { NameField } from './settings-fields.tsx'
import { SmartHostsField } from './smart-hosts-field.tsx'
import { useConnectorWords } from './words.ts'

interface TypeStepProps extends DraftFieldsProps {
  readonly type: ConnectorType
  chooseType(type: ConnectorType): void
}

const types = ['custom', 'internal', 'internet', 'partner'] as const

export function TypeStep(props: TypeStepProps) {
  const { draft, change, wrong, type, chooseType } = props
  const words = useConnectorWords()
  return (
    <>
      <NameField {...props} />
      <ChoiceField
        label={words.type}
        hint={words.typeHint}
        value={type}
        options={types.map((value) => {
          const [label, hint] = words.types[value]
          return { value, label: label!, hint }
        })}
        onChange={chooseType}
      />
      <TextField
        label={words.id}
        hint={words.idHint}
        optional
        narrow
        value={draft.id}
        wrong={wrong('id')}
        onInput={(id) => change({ id })}
      />
    </>
  )
}

export function HostsStep(props: DraftFieldsProps) {
  const words = useConnectorWords()
  return (
    <>
      <ChoiceField
        label={words.network}
        value="smartHosts"
        options={[
          { value: 'mx', label: words.byMx, hint: words.byMxHint, disabled: true },
          { value: 'smartHosts', label: words.bySmartHosts },
        ]}
        onChange={() => {}}
      />
      <SmartHostsField {...props} />
    </>
  )
}
