/** The few pictures of the page, as strokes in the colour of the text. They say nothing that no word says too. */
const paths = {
  add: 'M8 3v10M3 8h10',
  back: 'M10 3 5 8l5 5',
  check: 'm3 8.5 3.5 3.5L13 4.5',
  chevron: 'm6 3 5 5-5 5',
  close: 'm4 4 8 8m0-8-8 8',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  down: 'M8 3v10m-4-4 4 4 4-4',
  edit: 'm10.5 2.5 3 3-8 8-3.5.5.5-3.5z',
  export: 'M8 10V2m-3 3 3-3 3 3M3 10v3.5h10V10',
  filter: 'M2 3h12l-4.5 5.5V13l-3-1.5v-3z',
  import: 'M8 2v8m-3-3 3 3 3-3M3 10v3.5h10V10',
  key: 'M5.5 13a3 3 0 1 1 2.1-5.1L13 2.5M11 4.5l2 2',
  lock: 'M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
  menu: 'M2 4h12M2 8h12M2 12h12',
  pause: 'M5.5 3v10M10.5 3v10',
  play: 'm4.5 3 8 5-8 5z',
  refresh: 'M13 5.5A5.5 5.5 0 1 0 13.5 8M13.5 2.5v3h-3',
  remove: 'M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.5 10.5l3.5 3.5',
  test: 'M2 8h3l2-5 3 10 2-5h2',
  up: 'M8 13V3M4 7l4-4 4 4',
  user: 'M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM3 13.5c.5-3 2.5-4 5-4s4.5 1 5 4',
  // States, drawn so that they differ without their colours.
  good: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM5 8.2l2.2 2.2L11 6',
  bad: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM5.7 5.7l4.6 4.6m0-4.6-4.6 4.6',
  warning: 'M8 2 1.5 13.5h13zM8 6.5V10m0 1.7v.3',
  waiting: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM8 4.5V8l2.5 1.5',
  off: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM5 8h6',
  info: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM8 7.5V11m0-6.3v.3',
} as const
export type IconName = keyof typeof paths

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}
