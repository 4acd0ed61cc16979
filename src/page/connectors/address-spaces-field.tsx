/** The address spaces of a connector: domains with their costs. */
import { useState } from 'preact/hooks'
import { Problem } from '../client.ts'
import { FormDialog } from '../parts/dialog.tsx'
import { SelectField, TextField } from '../parts/fields.tsx'
import { useFrameWords } from '../words.ts'
import { type AddressSpaceDraft, spaceFault } from './connector-draft.ts'
import { type DraftFieldsProps, wrongAt } from './draft-fields.ts'
import { ListEditor } from './list-editor.tsx'
import { useConnectorWords } from './words.ts'

export function AddressSpacesField({ draft, change, wrong, readOnly }: DraftFieldsProps) {
  const words = useConnectorWords()
  const [edited, edit] = useState<number | 'new' | null>(null)
  const { addressSpaces } = draft
  return (
    <>
      <ListEditor
        label={words.addressSpaces}
        hint={words.addressSpacesHint}
        entries={addressSpaces.map((space) => ({ name: space.domain, shown: <Space {...space} /> }))}
        none={words.noAddressSpaces}
        wrong={wrong('addressSpaces')}
        readOnly={readOnly}
        addLabel={words.addDomain}
        onAdd={() => edit('new')}
        onEdit={edit}
        onRemove={(index) => change({ addressSpaces: addressSpaces.filter((_, each) => each !== index) })}
      />
      {edited !== null && (
        <AddressSpaceDialog
          of={edited === 'new' ? { domain: '', cost: '1' } : addressSpaces[edited]!}
          others={addressSpaces.filter((_, index) => index !== edited)}
          title={edited === 'new' ? words.addDomain : words.editDomain}
          onSave={(space) => {
            change({
              addressSpaces: edited === 'new' ? [...addressSpaces, space] : addressSpaces.with(edited, space),
            })
            edit(null)
          }}
          onClose={() => edit(null)}
        />
      )}
    </>
  )
}

function Space({ domain, cost }: AddressSpaceDraft) {
  const words = useConnectorWords()
  return (
    <>
      <code>{domain}</code> <span class="soft">{`SMTP, ${words.cost} ${cost}`}</span>
    </>
  )
}

interface AddressSpaceDialogProps {
  readonly of: AddressSpaceDraft
  readonly others: readonly AddressSpaceDraft[]
  readonly title: string
  onSave(space: AddressSpaceDraft): void
  onClose(): void
}

function AddressSpaceDialog({ of, others, title, onSave, onClose }: AddressSpaceDialogProps) {
  const words = useConnectorWords()
  const frame = useFrameWords()
  const [domain, setDomain] = useState(of.domain)
  const [cost, setCost] = useState(of.cost)
  const save = () => {
    const space = { domain: domain.trim(), cost: cost.trim() }
    const fault = spaceFault(space)
    if (fault === 'cost') throw new Problem(words.costWrong, { status: 400, field: 'cost' })
    const wrong = (text: string) => new Problem(text, { status: 400, field: 'domain' })
    if (fault === 'star') throw wrong(words.spaceStar(space.domain.slice(1)))
    if (fault === 'domain') throw wrong(words.spaceWrong)
    if (others.some((other) => other.domain.toLowerCase() === space.domain.toLowerCase()))
      throw wrong(words.spaceTwice)
    onSave(space)
  }
  return (
    <FormDialog title={title} submit={frame.save} onSubmit={save} onClose={onClose} shownAt={() => true}>
      {(problem) => (
        <>
          <TextField
            label={words.fqdnOfSpace}
            hint={words.fqdnOfSpaceHint}
            value={domain}
            code
            onInput={setDomain}
            wrong={wrongAt(problem, 'domain')}
          />
          <div class="fields two">
            <SelectField
              label={words.spaceType}
              value="SMTP"
              options={[['SMTP', 'SMTP']]}
              onChange={() => {}}
            />
            <TextField
              label={words.cost}
              hint={words.costHint}
              kind="number"
              min={1}
              max={100}
              value={cost}
              onInput={setCost}
              wrong={wrongAt(problem, 'cost')}
            />
          </div>
        </>
      )}
    </FormDialog>
  )
}
