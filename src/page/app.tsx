/**
 * The admin page. It is a client of the API like any other: what it shows and does, `curl` can too.
 *
 * Rules of its frame, for whoever adds a view:
 *
 * - A view is a folder: `queues/queues-view.tsx` exports `QueuesView({ route }: ViewProps)` (view.ts); views.tsx lists it,
 *   and its name stands in the frame's words. The rest of the address is its own: `route.parts` and `route.query`
 *   (`#/queues/29?state=ready`); `hrefTo('queues', '29')` makes links, `go(...)` moves. What somebody would want to send to
 *   a colleague stands in the address.
 * - Words are in the folder's `words.ts`, the German ones typed by the English ones (`const de: typeof en`), read by
 *   `useWords({ en, de })`; what every view says is in `useFrameWords()`. A sentence
 *   with a value is a function. Dates, numbers, sizes and durations are written by `useFormats()`, never by hand.
 * - A view returns one `<Page title toolbar>` (its only h1), with `<Section title>` (h2) inside.
 * - Reading: `usePolled<Answer>(pathOf(['queue'], { state }), { everyMs })` and `<Shown of={polled}>{(answer) => …}</Shown>`,
 *   which has the loading and error states; `<Empty title>` where there is nothing. Never `fetch`.
 * - Writing: `write('POST', pathOf([...]), body)`, once, inside `useAct().run` or a `<FormDialog>`; then `tell(…)` and
 *   `polled.again()`. A `Problem` has `message` and `field`; show it at its field (`wrong=`), else in `<ProblemNotice>`.
 * - Acts: `<Button needs="operate">`: what the token does not allow is shown with its reason. What destroys something asks
 *   first, in a `<FormDialog danger>` that says what will happen.
 * - `<Table>` becomes cards on a narrow screen by itself; `<Badge tone>` shows a state by word, colour and picture.
 *   Fields are `TextField`, `SelectField`, `ChoiceField`, `CheckField`.
 * - Colours, sizes and spaces are the variables of style/base.css; a view's own rules stand in its folder's .css file,
 *   imported by the view, under a class named for the view. Nothing is styled by an attribute: the policy of the document
 *   forbids it (`element.style` from script is allowed). On a canvas: `colourOf('--accent')`, again when `useDark()` changes.
 * - Types of answers are `import type` from the server's `*-view.ts`. Of its code only what is pure
 *   and knows nothing of Node comes into the page (admin/senders/sender-csv.ts).
 */
import { render } from 'preact'
import './style/base.css'
import './style/parts.css'
import './style/frame.css'
import { resumeSession } from './session.ts'
import { Shell } from './shell.tsx'

render(<Shell />, document.getElementById('app')!)
void resumeSession()
