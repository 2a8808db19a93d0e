"""What callers hear from the fail-safe, in the languages that it knows; `callyard.yaml` may say it differently."""

from __future__ import annotations

from collections.abc import Mapping

from cti.settings import FailsafeTexts

TEXTS: Mapping[str, FailsafeTexts] = {
    "en": FailsafeTexts(
        message="We are sorry, our service is not available at the moment.",
        choose="To leave your phone number, press 1. To leave a message, press 2.",
        own_number="To be called back at the number you are calling from, press 1. For another number, press 2.",
        number="Please type the number that we shall call back, then the hash key.",
        read_back="You typed",
        confirm="If that is right, press 1. To type it again, press 2.",
        record="Please speak after the tone, then press the hash key.",
        thanks="Thank you. We will call you back. Good bye.",
    ),
    "de": FailsafeTexts(
        message="Unser Service ist im Moment leider nicht erreichbar.",
        choose="Um Ihre Telefonnummer zu hinterlassen, drücken Sie 1. Für eine Nachricht drücken Sie 2.",
        own_number="Sollen wir Sie unter der Nummer zurückrufen, von der Sie anrufen, drücken Sie 1. "
        "Für eine andere Nummer drücken Sie 2.",
        number="Bitte geben Sie die Rückrufnummer ein und danach die Rautetaste.",
        read_back="Ihre Eingabe war",
        confirm="Ist das richtig, drücken Sie 1. Um sie neu einzugeben, drücken Sie 2.",
        record="Bitte sprechen Sie nach dem Ton und drücken Sie danach die Rautetaste.",
        thanks="Vielen Dank. Wir rufen Sie zurück. Auf Wiederhören.",
    ),
    "es": FailsafeTexts(
        message="Lo sentimos, nuestro servicio no está disponible en este momento.",
        choose="Para dejar su número de teléfono, pulse 1. Para dejar un mensaje, pulse 2.",
        own_number="Para que le llamemos al número desde el que llama, pulse 1. Para otro número, pulse 2.",
        number="Por favor, marque el número al que debemos llamar y después la tecla almohadilla.",
        read_back="Usted ha marcado",
        confirm="Si es correcto, pulse 1. Para marcarlo de nuevo, pulse 2.",
        record="Por favor, hable después de la señal y pulse después la tecla almohadilla.",
        thanks="Gracias. Le devolveremos la llamada. Adiós.",
    ),
    "fr": FailsafeTexts(
        message="Nous sommes désolés, notre service n'est pas joignable pour le moment.",
        choose="Pour laisser votre numéro de téléphone, tapez 1. Pour laisser un message, tapez 2.",
        own_number="Pour être rappelé au numéro d'où vous appelez, tapez 1. Pour un autre numéro, tapez 2.",
        number="Veuillez taper le numéro à rappeler, puis la touche dièse.",
        read_back="Vous avez tapé",
        confirm="Si c'est exact, tapez 1. Pour le taper de nouveau, tapez 2.",
        record="Veuillez parler après le signal sonore, puis tapez dièse.",
        thanks="Merci. Nous vous rappellerons. Au revoir.",
    ),
    "ru": FailsafeTexts(
        message="К сожалению, наша служба сейчас недоступна.",
        choose="Чтобы оставить номер телефона, нажмите 1. Чтобы оставить сообщение, нажмите 2.",
        own_number="Чтобы мы перезвонили на номер, с которого вы звоните, нажмите 1. Для другого номера нажмите 2.",
        number="Пожалуйста, наберите номер, по которому перезвонить, затем решётку.",
        read_back="Вы набрали",
        confirm="Если это верно, нажмите 1. Чтобы набрать заново, нажмите 2.",
        record="Пожалуйста, говорите после сигнала, затем нажмите решётку.",
        thanks="Спасибо. Мы вам перезвоним. До свидания.",
    ),
    "zh": FailsafeTexts(
        message="很抱歉，我们的服务暂时无法接通。",
        choose="留下电话号码请按1，留言请按2。",
        own_number="回拨您现在使用的号码请按1，回拨其他号码请按2。",
        number="请输入回拨号码，以井号键结束。",
        read_back="您输入的号码是",
        confirm="正确请按1，重新输入请按2。",
        record="请在提示音后留言，结束请按井号键。",
        thanks="谢谢，我们会尽快给您回电。再见。",
    ),
}
"""Language → texts. Another language's callers hear the English ones, spoken as English."""


def texts_in(language: str) -> tuple[FailsafeTexts, str]:
    """Return the texts for `language` (a tag as `de` or `de-CH`), and the language that they are in."""
    base = language.lower().partition("-")[0]
    return (TEXTS[base], language) if base in TEXTS else (TEXTS["en"], "en")
