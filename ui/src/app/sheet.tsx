// A native dialog over the page: the browser keeps the focus inside and gives it back to the opener.
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from './icon';

export interface SheetProps {
  title: string;
  open: boolean;
  onClose: () => void;
  // 'start' and 'end' are the sides of the page, 'middle' a box over it.
  side: 'start' | 'end' | 'middle';
  children: ComponentChildren;
}

export function Sheet({ title, open, onClose, side, children }: SheetProps): VNode | null {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    if (!element || !open) return;
    const opener = document.activeElement;
    element.showModal();
    return () => {
      element.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, [open]);
  if (!open) return null;
  return (
    <dialog
      ref={dialog}
      class={side === 'middle' ? 'box' : `sheet ${side}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === event.currentTarget && outside(event)) onClose();
      }}
    >
      <div class="sheet-body">
        <div class="sheet-head">
          <h2 id={heading}>{title}</h2>
          <button type="button" class="button quiet square" aria-label={t().close} onClick={onClose}>
            <Icon name="x" />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

// A click on the backdrop counts as one on the dialog; only its place tells them apart.
function outside({ currentTarget, clientX: x, clientY: y }: MouseEvent & { currentTarget: HTMLElement }): boolean {
  const { left, right, top, bottom } = currentTarget.getBoundingClientRect();
  return x < left || x > right || y < top || y > bottom;
}
