/** An error as a person reads it, with what the service said for those who want to know. */

import { ApiError } from "../api/problem";
import { errorKey, type Translate } from "../i18n";

interface Props {
  t: Translate;
  /** Undefined where there is none. */
  error: unknown;
  onDismiss?: (() => void) | undefined;
  onRetry?: (() => void) | undefined;
}

export function ErrorBox({ t, error, onDismiss, onRetry }: Props) {
  const known = error instanceof ApiError ? error : undefined;
  const text = known ? t(errorKey(known.kind)) : error instanceof Error && error.message;
  return (
    <div role="alert" class="alert-region">
      {error !== undefined && (
        <div class="error">
          <div>
            <p class="error-text">{text || t("error.unknown")}</p>
            {known?.detail && (
              <details>
                <summary>{t("error.details")}</summary>
                <p>{known.detail}</p>
              </details>
            )}
          </div>
          {onRetry && (
            <button type="button" onClick={onRetry}>
              {t("app.retry")}
            </button>
          )}
          {!onRetry && onDismiss && (
            <button type="button" class="quiet" aria-label={t("intake.close")} onClick={onDismiss}>
              ✕
            </button>
          )}
        </div>
      )}
    </div>
  );
}
