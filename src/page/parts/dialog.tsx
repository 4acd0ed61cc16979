/**
 * A modal dialog: the browser's own, so that the rest of the page is out of reach and Escape closes it. The focus goes
 * to its first field, and back to where it was.
 */
import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Problem } from '../client.ts'
import { useFrameWords } from '../words.ts'
import { Button } from './button.tsx'
import { ProblemNotice } from './notice.tsx'

interface DialogProps {
  readonly title: string
  readonly wide?: boolean
  /** Null: it can only be answered. */
  readonly onClose: (() => void) | null
  readonly children: ComponentChildren
}

export function Dialog({ title, wide = false, onClose, children }: DialogProps) {
  const words = useFrameWords()
  const dialog = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  // Before the next key is typed, which is meant for the dialog.
  useLayoutEffect(() => {
    const opener = document.activeElement
    const own = dialog.current!
    own.showModal()
    const first = own.querySelector<HTMLElement>(
      '[data-first], .dialog-body :is(input, select, textarea):not([disabled])',
    )
    first?.focus()
    return () => {
      own.close()
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      class={wide ? 'dialog wide' : 'dialog'}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault()
        // A dialog inside this one closes alone.
        if (event.target === dialog.current) onClose?.()
      }}
    >
      <div class="dialog-head">
        <h2 id={titleId}>{title}</h2>
        {onClose && (
          <Button kind="quiet" icon="close" iconOnly onClick={onClose}>
            {words.close}
          </Button>
        )}
      </div>
      <div class="dialog-body">{children}</div>
    </dialog>
  )
}

interface FormDialogProps {
  readonly title: string
  readonly wide?: boolean
  readonly submit: string
  readonly danger?: boolean
  /** What stands in the way of what is typed; null: nothing. Shown when it is submitted. */
  readonly shownAt?: (problem: Problem) => boolean
  /** A rejection with a `Problem` is shown, and the dialog stays. */
  readonly onSubmit: () => Promise<void> | void
  readonly onClose: () => void
  children?(problem: Problem | null): ComponentChildren
}

/** A dialog that does something: Enter does it, and while it is under way it cannot be done again. */
export function FormDialog(props: FormDialogProps) {
  const { title, wide, submit, danger = false, shownAt, onSubmit, onClose, children } = props
  const words = useFrameWords()
  const act = useAct()
  return (
    <Dialog title={title} wide={wide ?? false} onClose={act.busy ? null : onClose}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          event.stopPropagation()
          void act.run(async () => onSubmit())
        }}
      >
        <ProblemNotice
          problem={act.problem}
          shownAt={act.problem !== null && (shownAt?.(act.problem) ?? false)}
        />
        {children?.(act.problem)}
        <div class="dialog-foot">
          <Button type="submit" kind={danger ? 'danger' : 'primary'} busy={act.busy}>
            {submit}
          </Button>
          <Button onClick={onClose} first={danger} unable={null}>
            {words.cancel}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

export interface Act {
  readonly busy: boolean
  readonly problem: Problem | null
  /** Resolves with whether it was done. */
  run(act: () => Promise<unknown>): Promise<boolean>
  clear(): void
}

/** Something that is done once at a time, and may fail. */
export function useAct(): Act {
  const [state, setState] = useState<{ busy: boolean; problem: Problem | null }>({
    busy: false,
    problem: null,
  })
  const under = useRef(false)
  const run = async (act: () => Promise<unknown>): Promise<boolean> => {
    if (under.current) return false
    under.current = true
    setState({ busy: true, problem: null })
    try {
      await act()
      setState({ busy: false, problem: null })
      return true
    } catch (error) {
      if (!(error instanceof Problem)) {
        setState({ busy: false, problem: null })
        throw error
      }
      setState({ busy: false, problem: error })
      return false
    } finally {
      under.current = false
    }
  }
  return { ...state, run, clear: () => setState({ busy: false, problem: null }) }
}
