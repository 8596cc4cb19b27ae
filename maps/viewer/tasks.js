/** The card of a first visit: three things to try. */

import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { recall, remember } from './remembered.js';

const SEEN = 'wangge.tasks_seen';
const TASKS = /** @type {const} */ (['who', 'incident', 'density']);

export class TaskCard {
  /**
   * @param {HTMLElement} root
   * @param {(task: 'who' | 'incident' | 'density') => void} ontask
   * @param {string[]} [possible] tasks that the rights allow
   */
  constructor(root, ontask, possible = [...TASKS]) {
    this.possible = possible;
    this.root = root;
    this.ontask = ontask;
    this.isOpen = false;
  }

  /** Show it to who has not put it away before. */
  greet() {
    if (recall(SEEN) === null && this.possible.length > 0) this.open();
  }

  open() {
    this.isOpen = true;
    this.draw();
  }

  close() {
    this.isOpen = false;
    remember(SEEN, '1');
    fill(this.root);
  }

  draw() {
    if (!this.isOpen) return;
    fill(this.root, h('section', { class: 'tasks', 'aria-labelledby': 'tasks-title' },
      h('div', { class: 'place-head' },
        h('h2', { id: 'tasks-title' }, t('tasks.title')),
        h('button', {
          type: 'button', class: 'close', 'aria-label': t('tasks.close'), onclick: () => this.close(),
        }, '×')),
      h('ol', {}, ...TASKS.filter((task) => this.possible.includes(task)).map((task) =>
        h('li', {}, h('button', {
          type: 'button', class: 'task', id: `task-${task}`,
          onclick: () => {
            this.close();
            this.ontask(task);
          },
        }, h('b', {}, t(`tasks.${task}`)), h('span', {}, t(`tasks.${task}_how`))))))));
  }
}
