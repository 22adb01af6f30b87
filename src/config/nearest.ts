/**
 * The name that a mistyped one was probably meant to be.
 */

/** Single-character edits between `a` and `b`; stops counting above `most` and then answers `most + 1`. */
function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    let least = row
    for (let column = 1; column <= b.length; column++) {
      const change = a.charCodeAt(row - 1) === b.charCodeAt(column - 1) ? 0 : 1
      const edits = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + change)
      current.push(edits)
      least = Math.min(least, edits)
    }
    if (least > most) return most + 1
    previous = current
  }
  return previous[b.length]!
}

/** The candidate that takes the fewest edits, if they are few enough for a slip of the hand. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase()
  let most = Math.max(2, Math.floor(name.length / 4))
  let nearest: string | undefined
  for (const candidate of candidates) {
    const edits = distance(wanted, candidate, most)
    if (edits > most || (nearest !== undefined && edits === most)) continue
    most = edits
    nearest = candidate
  }
  return nearest
}
