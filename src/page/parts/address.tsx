/** A mail address, which breaks behind its @ where it has no room. */
export function Address({ of }: { of: string }) {
  const at = of.lastIndexOf('@') + 1
  if (at === 0) return <>{of}</>
  return (
    <>
      {of.slice(0, at)}
      <wbr />
      {of.slice(at)}
    </>
  )
}
