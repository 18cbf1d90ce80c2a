/** Saving a file from the page. */

/** Offer a file to the browser's downloads. */
export function saveFile(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // Not at once: the download may not have begun yet.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
