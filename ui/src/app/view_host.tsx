// Shows a view, loading its code when it is first wanted.
import { useSignal } from '@preact/signals';
import type { ComponentType, VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import type { View, ViewProps } from '../views/registry';

export function ViewHost({ view, args }: { view: View; args: string[] }): VNode {
  const Loaded = useSignal<ComponentType<ViewProps> | null>(null);
  const failed = useSignal(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let current = true;
    Loaded.value = null;
    failed.value = false;
    view.load().then(
      (module) => {
        if (!current) return;
        Loaded.value = module.default;
        box.current?.focus();
      },
      () => current && (failed.value = true),
    );
    return () => {
      current = false;
    };
  }, [view]);
  const Content = Loaded.value;
  return (
    <div class="view" ref={box} tabIndex={-1}>
      {Content ? (
        <Content args={args} />
      ) : failed.value ? (
        <p role="alert">
          {t().noServer}{' '}
          <button type="button" class="button small" onClick={() => location.reload()}>
            {t().reload}
          </button>
        </p>
      ) : (
        <p class="muted">{t().loading}</p>
      )}
    </div>
  );
}
