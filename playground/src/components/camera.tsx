/** A dialog that takes a photo with the camera. */

import { useEffect, useRef } from "preact/hooks";

import { usePage } from "../page";

/** Whether the browser can use a camera here: only on HTTPS, or on this machine. */
export function hasCamera(): boolean {
  return navigator.mediaDevices?.getUserMedia !== undefined;
}

interface Props {
  onPhoto: (file: File) => void;
  onClose: () => void;
}

export function Camera({ onPhoto, onClose }: Props) {
  const { t, report } = usePage();
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);

  useEffect(() => {
    let stream: MediaStream | undefined;
    let closed = false;
    dialog.current?.showModal();
    const wanted = { video: { facingMode: "user", width: { ideal: 1920 } } };
    navigator.mediaDevices.getUserMedia(wanted).then(
      (opened) => {
        stream = opened;
        if (closed) stop(opened);
        else if (video.current) video.current.srcObject = opened;
      },
      () => {
        report(new Error(t("camera.refused")));
        onClose();
      },
    );
    return () => {
      closed = true;
      if (stream) stop(stream);
    };
  }, []);

  function take(): void {
    const source = video.current!;
    const canvas = document.createElement("canvas");
    canvas.width = source.videoWidth;
    canvas.height = source.videoHeight;
    canvas.getContext("2d")!.drawImage(source, 0, 0);
    canvas.toBlob((photo) => {
      if (photo) onPhoto(new File([photo], "photo.png", { type: photo.type }));
      onClose();
    });
  }

  return (
    <dialog ref={dialog} aria-label={t("camera.title")} onClose={onClose}>
      <video ref={video} autoPlay playsInline muted />
      <div class="row">
        <button type="button" class="primary" onClick={take}>
          {t("camera.take")}
        </button>
        <button type="button" onClick={onClose}>
          {t("camera.cancel")}
        </button>
      </div>
    </dialog>
  );
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
