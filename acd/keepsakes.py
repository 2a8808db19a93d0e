"""What a flow keeps of a call beside its way through the queues: recordings with consent, and answers to surveys.

The engine decides nothing by them. It journals them, gives them their ids and says whose they are: so a restart loses
and doubles none, and reports can join them with queues and agents.
"""

from __future__ import annotations

from acd.commands import RecordingClosed, RecordingOpened, SurveyAnswerKept
from acd.events import ConsentTold, RecordingEnded, SurveyAnswered
from acd.floor import Floor
from acd.interactions import Interaction


def tell_consent(floor: Floor, event: ConsentTold) -> None:
    """Somebody was asked; where there is a file, the recording runs from now on."""
    interaction = floor.interactions.get(event.interaction_id)
    if interaction is None:
        floor.count("ConsentTold:unknown")
    elif event.number <= interaction.recordings:
        floor.count("ConsentTold:doubled")
    else:
        close_recording(floor, interaction)
        interaction.recordings = event.number
        interaction.recording = f"{interaction.id}/{event.number}" if event.file else ""
        floor.out.append(
            RecordingOpened(
                recording_id=f"{interaction.id}/{event.number}",
                interaction_id=interaction.id,
                consent=event.consent,
                file=event.file,
                trouble=event.trouble,
                queue=interaction.served_in,
                agent_id=interaction.served_by,
                started_at=floor.now,
            )
        )


def end_recording(floor: Floor, event: RecordingEnded) -> None:
    """The recording runs no more."""
    interaction = floor.interactions.get(event.interaction_id)
    if interaction is None:
        floor.count("RecordingEnded:unknown")
    elif interaction.recording != f"{interaction.id}/{event.number}":
        floor.count("RecordingEnded:not_running")
    else:
        close_recording(floor, interaction, event.detail)


def close_recording(floor: Floor, interaction: Interaction, detail: str = "") -> None:
    """Say that the recording is over, where one runs."""
    if interaction.recording:
        floor.out.append(RecordingClosed(interaction.recording, interaction.id, detail, floor.now))
        interaction.recording = ""


def keep_answer(floor: Floor, event: SurveyAnswered) -> None:
    """An answer; one given again replaces the one before."""
    interaction = floor.interactions.get(event.interaction_id)
    if interaction is None:
        floor.count("SurveyAnswered:unknown")
        return
    floor.out.append(
        SurveyAnswerKept(
            answer_id=f"{interaction.id}/{event.survey}/{event.question}",
            interaction_id=interaction.id,
            survey=event.survey,
            question=event.question,
            value=event.value,
            queue=interaction.served_in,
            agent_id=interaction.served_by,
            answered_at=floor.now,
        )
    )
