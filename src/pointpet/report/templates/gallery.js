const cards = [...document.querySelectorAll(".card")];
const choices = ["method", "label", "flagged"].map((name) => document.getElementById("choose-" + name));
const shown = document.getElementById("cards-shown");

function filterCards() {
  const [method, label, flagged] = choices.map((choice) => choice.value);
  let count = 0;
  for (const card of cards) {
    const fits =
      (!method || card.dataset.method === method) &&
      (!label || card.dataset.label === label) &&
      (!flagged || card.dataset[flagged] === "1");
    card.hidden = !fits;
    count += fits;
  }
  shown.textContent = count === 1 ? "1 picture" : count + " pictures";
}

if (cards.length) {
  choices.forEach((choice) => choice.addEventListener("change", filterCards));
  filterCards();
  const dialog = document.getElementById("enlarged");
  const large = dialog.querySelector("img");
  document.querySelector(".cards").addEventListener("click", (event) => {
    if (event.target.tagName !== "IMG") return;
    large.src = event.target.src;
    large.alt = event.target.alt;
    dialog.showModal();
  });
  dialog.addEventListener("click", () => dialog.close());
}
