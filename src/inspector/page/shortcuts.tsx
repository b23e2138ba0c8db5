import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

export const areShortcutsShown = signal(false);

const SHORTCUTS: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'search'],
  ['↑ ↓ PgUp PgDn Home End', 'move in the list'],
  ['Enter', 'open a request, or a group'],
  ['j k', 'next, previous request'],
  ['Esc', 'close the request'],
  ['g', 'group requests that are alike'],
  ['s', 'slowest first, newest first'],
  ['f', 'show or hide plots and filters'],
  ['p', 'pause, resume'],
  ['?', 'these shortcuts'],
];

export function Shortcuts() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isShown = areShortcutsShown.value;
  useEffect(() => {
    if (isShown) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isShown]);
  const close = () => {
    areShortcutsShown.value = false;
  };
  return (
    <dialog ref={dialog} class="shortcuts" aria-labelledby="shortcuts-title" onClose={close}>
      <h2 id="shortcuts-title">Shortcuts</h2>
      <dl>
        {SHORTCUTS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={close}>
        Close
      </button>
    </dialog>
  );
}
