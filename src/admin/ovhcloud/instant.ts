/** An instant as OVHcloud's API writes it: `2023-09-25T14:06:02+02:00`, to the second, with the offset of this machine's zone. */
export function instant(at: number): string {
  const offset = -new Date(at).getTimezoneOffset()
  const local = new Date(at + offset * 60_000).toISOString().slice(0, 19)
  const [hours, minutes] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60]
  return `${local}${offset < 0 ? '-' : '+'}${twoDigits(hours)}:${twoDigits(minutes)}`
}

const twoDigits = (number: number): string => String(number).padStart(2, '0')
