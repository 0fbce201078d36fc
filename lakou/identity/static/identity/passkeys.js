// What needs JavaScript is shown where it runs, and what a key or the browser refuses is told in French.

document.addEventListener("DOMContentLoaded", () => {
  if (window.PublicKeyCredential) {
    for (const element of document.querySelectorAll("[data-needs-script]")) element.hidden = false;
  }
});

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const place = document.querySelector("[data-webauthn-error]");
  const name = event.detail.exception?.name;
  place.textContent =
    name === "NotAllowedError"
      ? "Rien n’a été confirmé : la demande a été abandonnée ou le délai est passé."
      : name === "InvalidStateError"
        ? "Cette clé est déjà enregistrée."
        : "La clé n’a pas répondu. Réessayez, ou prenez un autre moyen.";
  place.hidden = false;
});
