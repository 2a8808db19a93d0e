import { expect, test } from 'vitest'
import { keyAction, type KeyPress } from './keys'

const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({
  key, shift: false, control: false, alt: false, repeat: false, ...more,
})

test('letters act on the page and rest while typing', () => {
  expect(keyAction(press('r'), 'page', null)).toEqual({ do: 'ready' })
  expect(keyAction(press('n'), 'control', null)).toEqual({ do: 'not_ready' })
  expect(keyAction(press('?', { shift: true }), 'page', null)).toEqual({ do: 'keys' })
  for (const key of ['r', 'n', '?', 'm', '1', 'D']) expect(keyAction(press(key), 'typing', 'wrap_up')).toBeNull()
})

test('the shortcuts of the browser stay its own', () => {
  expect(keyAction(press('r', { control: true }), 'page', null)).toBeNull()
  expect(keyAction(press('n', { alt: true }), 'page', null)).toBeNull()
  expect(keyAction(press('r', { repeat: true }), 'page', null)).toBeNull()
})

test('declining needs Shift and a ringing call', () => {
  expect(keyAction(press('D', { shift: true }), 'page', 'offered')).toEqual({ do: 'decline' })
  expect(keyAction(press('d'), 'page', 'offered')).toBeNull()
  expect(keyAction(press('D', { shift: true }), 'page', 'talking')).toBeNull()
})

test('Enter finishes only a wrap-up, and leaves buttons and texts alone', () => {
  expect(keyAction(press('Enter'), 'page', 'wrap_up')).toEqual({ do: 'finish' })
  expect(keyAction(press('Enter'), 'control', 'wrap_up')).toBeNull()
  expect(keyAction(press('Enter'), 'typing', 'wrap_up')).toBeNull()
  expect(keyAction(press('Enter', { control: true }), 'typing', 'wrap_up')).toEqual({ do: 'finish' })
  expect(keyAction(press('Enter'), 'page', 'talking')).toBeNull()
})

test('T asks for more time in a wrap-up only', () => {
  expect(keyAction(press('t'), 'page', 'wrap_up')).toEqual({ do: 'more_time' })
  expect(keyAction(press('t'), 'control', 'wrap_up')).toEqual({ do: 'more_time' })
  expect(keyAction(press('t'), 'typing', 'wrap_up')).toBeNull()
  expect(keyAction(press('t'), 'page', 'talking')).toBeNull()
})

test('digits choose a result during and after the call', () => {
  expect(keyAction(press('2'), 'page', 'talking')).toEqual({ do: 'disposition', index: 1 })
  expect(keyAction(press('0'), 'page', 'wrap_up')).toBeNull()
  expect(keyAction(press('2'), 'page', 'offered')).toBeNull()
})

test('a message is accepted, played and put down by key', () => {
  expect(keyAction(press('a'), 'page', 'offered')).toEqual({ do: 'accept' })
  expect(keyAction(press('a'), 'page', 'talking')).toBeNull()
  expect(keyAction(press('p'), 'control', 'talking')).toEqual({ do: 'play' })
  expect(keyAction(press('p'), 'page', 'wrap_up')).toEqual({ do: 'play' })
  expect(keyAction(press('p'), 'page', 'offered')).toBeNull()
  expect(keyAction(press('e'), 'page', 'talking')).toEqual({ do: 'done' })
  expect(keyAction(press('e'), 'page', 'wrap_up')).toBeNull()
  for (const key of ['a', 'p', 'e']) expect(keyAction(press(key), 'typing', 'talking')).toBeNull()
})
