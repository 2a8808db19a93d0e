/** One ticking clock for the whole page: every timer on it changes in the same instant. */

class Clock {
  /** Local milliseconds, refreshed four times a second. */
  ms = $state(Date.now())

  constructor() {
    setInterval(() => {
      this.ms = Date.now()
    }, 250)
  }
}

export const clock = new Clock()
