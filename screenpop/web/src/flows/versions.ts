/** Published versions of the site's files, and what differs between two of them. Pure. */

export interface Version {
  number: number
  hash: string
  /** Microseconds. */
  published_at: number
  by: string
  note: string
  is_live: boolean
  /** In progress on it. */
  calls: number
}

export interface DiffLine {
  look: 'file' | 'place' | 'added' | 'removed' | 'same'
  text: string
}

/** A unified diff, as text or under the name `diff`, line by line. */
export function diffLines(told: unknown): DiffLine[] {
  const text = typeof told === 'object' && told !== null && 'diff' in told ? told.diff : told
  if (typeof text !== 'string') return []
  return text.replace(/\n$/, '').split('\n').map((line) => ({ look: lookOf(line), text: line }))
}

function lookOf(line: string): DiffLine['look'] {
  if (line.startsWith('+++') || line.startsWith('---')) return 'file'
  if (line.startsWith('@@')) return 'place'
  if (line.startsWith('+')) return 'added'
  return line.startsWith('-') ? 'removed' : 'same'
}

/** The version before a version, to hold it against; nothing for the first. */
export function before(versions: Version[], number: number): Version | undefined {
  return versions.filter((each) => each.number < number).sort((one, other) => other.number - one.number)[0]
}
