/** Published versions of the site's files, and what differs between two of them. Pure. */

export interface Version {
  number: number
  hash: string
  /** Microseconds. */
  published_at: number
  by: string
  note: string
  /** The version whose files were made live again, or 0. */
  of: number
  is_live: boolean
  /** In progress on it. */
  calls: number
}

export interface FlowDifference {
  flow: string
  what: 'added' | 'removed' | 'changed'
  diff: string
}

export interface Difference {
  diff: string
  flows: FlowDifference[]
  problems: string[]
}

export interface Checked {
  problems: string[]
  hints: string[]
  is_live: boolean
}

export interface MadeLive {
  number: number
  is_new: boolean
}

export interface DiffLine {
  look: 'file' | 'place' | 'added' | 'removed' | 'same'
  text: string
}

/** Where something is wrong, and what; without a place for what stands in no file. */
export interface Problem {
  place: string
  text: string
}

/** A unified diff line by line. */
export function diffLines(told: string): DiffLine[] {
  if (told === '') return []
  return told.replace(/\n$/, '').split('\n').map((line) => ({ look: lookOf(line), text: line }))
}

function lookOf(line: string): DiffLine['look'] {
  if (line.startsWith('+++') || line.startsWith('---')) return 'file'
  if (line.startsWith('@@')) return 'place'
  if (line.startsWith('+')) return 'added'
  return line.startsWith('-') ? 'removed' : 'same'
}

/** A flow's diff without its head: the name stands above it. */
export function bodyLines(told: string): DiffLine[] {
  return diffLines(told).filter((line) => line.look !== 'file')
}

/** How many lines a diff adds and takes away. */
export function size(told: string): { added: number; removed: number } {
  const lines = diffLines(told)
  return {
    added: lines.filter((line) => line.look === 'added').length,
    removed: lines.filter((line) => line.look === 'removed').length,
  }
}

/** `file:line:column: message`, one in each line. */
export function problemsOf(lines: string[]): Problem[] {
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, place = '', text = line] = /^([^\s:][^:]*:\d+:\d+): ([^]*)$/.exec(line) ?? []
      return { place, text }
    })
}

/** The version before a version, to hold it against; nothing for the first. */
export function before(versions: Version[], number: number): Version | undefined {
  return versions.filter((each) => each.number < number).sort((one, other) => other.number - one.number)[0]
}

/** Why nothing became of it, in lines. */
export function refusal(status: number, text: string): string[] {
  if (text !== '') return text.split('\n')
  if (status === 0) return ['The server did not answer in time. It may still be at it: look at the list in a moment.']
  return [`The server refused (status ${status}). Try again in a moment.`]
}
