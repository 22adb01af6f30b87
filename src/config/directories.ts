/** What the paths of directories say by their text alone: nothing is looked up. */

/** Whether one of them is another one, or lies in it. */
export function overlap(paths: readonly string[]): boolean {
  const all = paths.map(partsOf)
  return all.some((inner, at) => all.some((outer, other) => at !== other && liesIn(inner, outer)))
}

function partsOf(path: string): string[] {
  const parts = path.startsWith('/') ? ['/'] : []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    const above = parts.at(-1)
    if (part !== '..' || above === undefined || above === '..') parts.push(part)
    else if (above !== '/') parts.pop()
  }
  return parts
}

function liesIn(inner: readonly string[], outer: readonly string[]): boolean {
  const sameRoot = (inner[0] === '/') === (outer[0] === '/')
  return sameRoot && inner[outer.length] !== '..' && outer.every((part, at) => part === inner[at])
}
