/** Times, numbers and words as a person reads them. Pure; microseconds in, text out. */

const SECOND = 1_000_000
const MINUTE = 60
const HOUR = 3600

/** `0:07`, `12:05`, `1:02:09`: a running clock. Never negative. */
export function clockText(span: number): string {
  const total = Math.max(0, Math.floor(span / SECOND))
  const hours = Math.floor(total / HOUR)
  const minutes = Math.floor((total % HOUR) / MINUTE)
  const seconds = String(total % MINUTE).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`
}

/** Time left, rounded up so that it reads 0:01 until it is over. */
export function countdownText(span: number): string {
  return clockText(Math.ceil(Math.max(0, span) / SECOND) * SECOND)
}

/** `7 s`, `2 min 10 s`, `1 h 5 min`: a length in words. */
export function spanText(span: number): string {
  const total = Math.max(0, Math.floor(span / SECOND))
  if (total < MINUTE) return `${total} s`
  if (total < HOUR) return joined(Math.floor(total / MINUTE), 'min', total % MINUTE, 's')
  return joined(Math.floor(total / HOUR), 'h', Math.floor((total % HOUR) / MINUTE), 'min')
}

function joined(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small > 0 ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`
}

/** `Today, 14:03`, `Yesterday, 09:12`, `12 Mar 2026, 09:12` in the reader's own time zone. */
export function dayText(at: number, now: number): string {
  const when = new Date(at / 1000)
  const time = when.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
  const daysAgo = Math.round((midnight(new Date(now / 1000)) - midnight(when)) / 86_400_000)
  if (daysAgo === 0) return `Today, ${time}`
  if (daysAgo === 1) return `Yesterday, ${time}`
  return `${when.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })}, ${time}`
}

function midnight(when: Date): number {
  return Date.UTC(when.getFullYear(), when.getMonth(), when.getDate())
}

/** How national digits are grouped, by country code (and first digit); others in threes. Only common ones by heart. */
const GROUPS: Record<string, number[]> = {
  '1': [3, 3, 4],
  '7': [3, 3, 2, 2],
  '31': [2, 3, 4],
  '32': [3, 2, 2, 2],
  '33': [1, 2, 2, 2, 2],
  '34': [3, 3, 3],
  '39': [2, 4, 4],
  '41': [2, 3, 2, 2],
  '44': [2, 4, 4],
  '447': [4, 3, 3],
  '46': [2, 3, 2, 2],
  '48': [3, 3, 3],
  '61': [1, 4, 4],
}

const TWO_DIGIT_CODES = new Set(
  (
    '20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 ' +
    '60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98'
  ).split(' '),
)

/** `+12025550143` as `+1 202 555 0143`, an extension as it is, nothing as `Number withheld`. */
export function numberText(number: string): string {
  if (number === '') return 'Number withheld'
  const digits = /^\+(\d{7,15})$/.exec(number)?.[1]
  if (digits === undefined) return number
  const code = countryCode(digits)
  const national = digits.slice(code.length)
  const groups = GROUPS[code + national.charAt(0)] ?? GROUPS[code] ?? []
  const fits = groups.reduce((sum, size) => sum + size, 0) === national.length
  return `+${code} ${(fits ? cut(national, groups) : inThrees(national)).join(' ')}`
}

function countryCode(digits: string): string {
  if (digits.startsWith('1') || digits.startsWith('7')) return digits.slice(0, 1)
  return TWO_DIGIT_CODES.has(digits.slice(0, 2)) ? digits.slice(0, 2) : digits.slice(0, 3)
}

function cut(digits: string, sizes: number[]): string[] {
  let from = 0
  return sizes.map((size) => digits.slice(from, (from += size)))
}

/** Threes from the left; a last group of one joins its neighbour: 44 1234 is easier than 441 234 1. */
function inThrees(digits: string): string[] {
  const groups = digits.match(/\d{1,3}/g) ?? []
  const last = groups.at(-1)
  if (groups.length > 1 && last !== undefined && last.length === 1) {
    groups.splice(-2, 2, `${groups.at(-2)}${last}`)
  }
  return groups
}

/** `account_number` as `Account number`. */
export function titleText(code: string): string {
  const words = wordText(code)
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** `abandoned_in_queue` as `abandoned in queue`. */
export function wordText(code: string): string {
  return code.replaceAll(/[_.]+/g, ' ').trim()
}

const LANGUAGES = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' })

/** `de` as `German`; what is no language tag stays as it is. */
export function languageText(tag: string): string {
  try {
    return LANGUAGES.of(tag) ?? tag
  } catch {
    return tag
  }
}

export function countText(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

/** First letters of the first and last word, for a portrait. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/)
  const first = [...(words[0] ?? '')][0] ?? ''
  const last = words.length > 1 ? ([...(words.at(-1) ?? '')][0] ?? '') : ''
  return (first + last).toUpperCase()
}
