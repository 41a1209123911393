<?php
// Uses the official PHP client of Vanguard: argv has its autoload file, the address of the service and a token.
require $argv[1];
$client = new VanguardBackup\Vanguard\VanguardClient($argv[3], $argv[2]);
$shown = fn ($destination) => $destination->getAttributes();
$refusal = function (callable $act) {
    try {
        $act();
    } catch (Throwable $refused) {
        $errors = $refused instanceof VanguardBackup\Vanguard\Exceptions\ValidationException ? $refused->getErrors() : null;
        return ['class' => (new ReflectionClass($refused))->getShortName(), 'errors' => $errors];
    }
    return null;
};
$found = ['refused' => $refusal(fn () => $client->backupDestinations())];
if ($found['refused'] === null) {
    $found['listed'] = array_map($shown, $client->backupDestinations());
    $made = $client->createBackupDestination([
        'label' => 'Grün & gut', 'type' => 'custom_s3', 's3_access_key' => 'AKIAPHP', 's3_secret_key' => 'a+b/c=',
        's3_bucket_name' => 'php', 'custom_s3_endpoint' => 'https://php.example.com', 'path_style_endpoint' => true,
    ]);
    $found['made'] = $shown($made);
    $found['url'] = $made->getS3EndpointUrl();
    $found['got'] = $shown($client->backupDestination((string) $made->id));
    $found['updated'] = $shown($client->updateBackupDestination((string) $made->id, ['label' => 'Renamed']));
    $found['invalid'] = $refusal(fn () => $client->createBackupDestination(['label' => 'x', 'type' => 'ftp']));
    $client->deleteBackupDestination((string) $made->id);
    $found['gone'] = $refusal(fn () => $client->backupDestination((string) $made->id));
}
echo json_encode($found, JSON_THROW_ON_ERROR);
