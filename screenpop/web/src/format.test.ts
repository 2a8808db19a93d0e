import { describe, expect, test } from 'vitest'
import { clockText, countdownText, dayText, initials, languageText, numberText, spanText, titleText } from './format'

const S = 1_000_000

describe('lengths', () => {
  test.each([
    [0, '0:00'],
    [7 * S, '0:07'],
    [59.9 * S, '0:59'],
    [725 * S, '12:05'],
    [3729 * S, '1:02:09'],
    [-5 * S, '0:00'],
  ])('a clock shows %d µs as %s', (span, text) => expect(clockText(span)).toBe(text))

  test('a countdown reads 0:01 until it is over', () => {
    expect(countdownText(1)).toBe('0:01')
    expect(countdownText(S)).toBe('0:01')
    expect(countdownText(S + 1)).toBe('0:02')
    expect(countdownText(0)).toBe('0:00')
    expect(countdownText(-S)).toBe('0:00')
  })

  test.each([
    [7 * S, '7 s'],
    [60 * S, '1 min'],
    [130 * S, '2 min 10 s'],
    [3900 * S, '1 h 5 min'],
  ])('%d µs in words: %s', (span, text) => expect(spanText(span)).toBe(text))
})

describe('days', () => {
  const at = (year: number, month: number, day: number, hour: number) =>
    new Date(year, month - 1, day, hour, 3).getTime() * 1000
  const now = at(2026, 3, 12, 9)

  test.each([
    [at(2026, 3, 12, 0), 'Today, 00:03'],
    [at(2026, 3, 11, 23), 'Yesterday, 23:03'],
    [at(2026, 3, 10, 9), '10 Mar 2026, 09:03'],
  ])('%d is %s', (when, text) => expect(dayText(when, now)).toBe(text))
})

describe('numbers', () => {
  test.each([
    ['+12025550143', '+1 202 555 0143'],
    ['+41441234567', '+41 44 123 45 67'],
    ['+442079460958', '+44 20 7946 0958'],
    ['+447700900123', '+44 7700 900 123'],
    ['+33142278186', '+33 1 42 27 81 86'],
    ['+4930123456', '+49 301 234 56'],
    ['+35312345678', '+353 123 456 78'],
    ['+4312345671', '+43 123 456 71'],
    ['2001', '2001'],
    ['', 'Number withheld'],
    ['sip:x@y', 'sip:x@y'],
    ['+123', '+123'],
  ])('%s reads %s', (number, text) => expect(numberText(number)).toBe(text))

  test('no digit is lost or invented by the grouping', () => {
    for (let length = 7; length <= 15; length += 1) {
      for (const start of ['1', '7', '49', '353', '999']) {
        const digits = (start + '234567890123456').slice(0, length)
        expect(numberText(`+${digits}`).replaceAll(' ', '')).toBe(`+${digits}`)
      }
    }
  })
})

test('codes become titles', () => {
  expect(titleText('account_number')).toBe('Account number')
  expect(titleText('main.choice')).toBe('Main choice')
})

test('initials keep whole characters', () => {
  expect(initials('Ada King Lovelace')).toBe('AL')
  expect(initials('张伟')).toBe('张')
  expect(initials('')).toBe('')
})

test('languages have names, and what is none is left alone', () => {
  expect(languageText('de')).toBe('German')
  expect(languageText('zh')).toBe('Chinese')
  expect(languageText('Swiss German, please')).toBe('Swiss German, please')
})
